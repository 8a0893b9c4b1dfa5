/**
 * Intel OpenVINO (CPU, GPU, NPU): quantizers on the inputs of int8 operators, biases float (its low-precision passes add them
 * to the accumulator in float). Source: the hardware configurations of NNCF, which is OpenVINO's own quantizer.
 */
import { newestOpset } from '../../opset/versions.ts';
import type { Target } from './target.ts';

export const openVino: Target = {
  name: 'openvino',
  summary: 'Intel OpenVINO, by itself or as execution provider of onnxruntime',
  scheme: {
    activationType: 'uint8',
    activationSymmetric: false,
    weightType: 'int8',
    perChannel: true,
    weightRange: 'full',
  },
  formats: ['qdq', 'fp16', 'bf16'],
  activationTypes: ['uint8', 'int8'],
  weightTypes: ['int8'],
  symmetricActivations: false,
  perChannel: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'],
  perChannelTypes: ['int8'],
  encoding: { bias: 'float', weights: 'codes', readers: 'share', tables: 'apart' },
  placement: { activations: 'inputs', followers: 'between' },
  fixed: {},
  operators: undefined,
  preferFloat: { Softmax: "OpenVINO's own quantizer leaves Softmax float" },
  movesCodes: false,
  opset: { least: 13, newest: newestOpset },
  fusedOpset: 20,
  exactProducts: true,
};
