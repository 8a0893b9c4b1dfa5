/**
 * Qualcomm QNN (Hexagon): the whole graph in codes, because what is float goes back to the CPU. 16-bit Sigmoid and Tanh write
 * fixed parameters, only convolutions take one scale per channel, in signed codes. Source: onnxruntime's QNN quantization
 * configuration (python/tools/quantization/execution_providers/qnn) and its QNN provider page.
 */
import { newestOpset } from '../../opset/versions.ts';
import type { Target } from './target.ts';

export const qnn: Target = {
  name: 'qnn',
  summary: 'Qualcomm NPUs by the QNN execution provider of onnxruntime (Snapdragon phones and laptops)',
  scheme: {
    activationType: 'uint8',
    activationSymmetric: false,
    weightType: 'int8',
    perChannel: true,
    weightRange: 'full',
  },
  formats: ['qdq'],
  activationTypes: ['uint8', 'uint16'],
  weightTypes: ['int8', 'uint8'],
  symmetricActivations: false,
  perChannel: ['Conv', 'ConvTranspose'],
  perChannelTypes: ['int8'],
  encoding: { bias: 'int32', weights: 'codes', readers: 'own-dequantizer', tables: 'apart' },
  placement: { activations: 'edges', followers: 'everywhere' },
  fixed: {
    Sigmoid: { uint16: { scale: 2 ** -16, zeroPoint: 0 } },
    Tanh: { uint16: { scale: 2 ** -15, zeroPoint: 32768 } },
  },
  operators: undefined,
  preferFloat: {},
  movesCodes: false,
  opset: { least: 13, newest: newestOpset },
  fusedOpset: 20,
  exactProducts: true,
};
