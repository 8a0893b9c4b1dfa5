/**
 * onnxruntime in a browser. Its WebAssembly build has the int8 kernels of the CPU build, exact in 16-bit pairs of bytes. Its
 * WebGPU provider has none: it dequantizes, so that int8 saves bytes there and no time, and refuses a DequantizeLinear of
 * int32 with a zero point. A model without those zero points runs on both.
 */
import { ortCpuX64 } from './ort-cpu-x64.ts';
import type { Target } from './target.ts';

export const ortWeb: Target = {
  ...ortCpuX64,
  name: 'ort-web',
  summary: 'onnxruntime-web, WebAssembly (browsers, also on machines with WebGPU)',
  formats: ['qdq', 'qoperator', 'dynamic', 'weight-only'],
  activationTypes: ['uint8', 'int8'],
  weightTypes: ['int8', 'uint8'],
  perChannelTypes: ['int8', 'uint8'],
  encoding: { ...ortCpuX64.encoding, bias: 'int32-without-zero-point' },
};

export const ortWebGpu: Target = {
  ...ortWeb,
  name: 'ort-web-webgpu',
  summary: 'onnxruntime-web, WebGPU: int8 saves size only; weight-only and fp16 are what runs fast',
  formats: ['qdq', 'weight-only', 'fp16'],
  fusedOpset: 20,
  slowFloat16: undefined,
};
