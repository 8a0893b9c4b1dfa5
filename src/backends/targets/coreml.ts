/**
 * Apple Core ML by onnxruntime: its provider takes neither QuantizeLinear nor DequantizeLinear, so that a quantized graph falls
 * apart into pieces between which data leaves the accelerator. float16 is what it runs. Source: the tables of Core ML operators
 * in onnxruntime's documentation.
 */
import { newestOpset, oldestOpset } from '../../opset/versions.ts';
import { ortCpuX64 } from './ort-cpu-x64.ts';
import type { Target } from './target.ts';

export const coreMl: Target = {
  name: 'coreml',
  summary: 'Apple Core ML by the execution provider of onnxruntime: float16 only',
  scheme: ortCpuX64.scheme,
  formats: ['fp16'],
  activationTypes: [],
  weightTypes: [],
  symmetricActivations: false,
  perChannel: [],
  perChannelTypes: [],
  encoding: ortCpuX64.encoding,
  placement: ortCpuX64.placement,
  fixed: {},
  operators: [],
  preferFloat: {},
  movesCodes: false,
  opset: { least: oldestOpset, newest: newestOpset },
  fusedOpset: 20,
  exactProducts: true,
};
