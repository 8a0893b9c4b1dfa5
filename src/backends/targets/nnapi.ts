/**
 * Android NNAPI by onnxruntime: unsigned codes; signed ones only as convolution weights with one scale per channel, which a
 * scheme with one weight type for all cannot ask for beside Gemm. Sigmoid and Softmax write 1/256 and 0. Source: the table of
 * NNAPI operators in onnxruntime's documentation, and NNAPI's own of ANEURALNETWORKS_LOGISTIC and _SOFTMAX.
 */
import { newestOpset } from '../../opset/versions.ts';
import type { Target } from './target.ts';

const unit = { uint8: { scale: 2 ** -8, zeroPoint: 0 } } as const;

export const nnapi: Target = {
  name: 'nnapi',
  summary: 'Android NNAPI by the execution provider of onnxruntime (8.1 and later)',
  scheme: {
    activationType: 'uint8',
    activationSymmetric: false,
    weightType: 'uint8',
    perChannel: false,
    weightRange: 'full',
  },
  formats: ['qdq', 'qoperator'],
  activationTypes: ['uint8'],
  weightTypes: ['uint8', 'int8'],
  symmetricActivations: false,
  perChannel: ['Conv'],
  perChannelTypes: ['int8'],
  encoding: { bias: 'int32', weights: 'codes', readers: 'share', tables: 'apart' },
  placement: { activations: 'edges', followers: 'everywhere' },
  fixed: { Sigmoid: unit, Softmax: unit },
  operators: [
    ...['Conv', 'Gemm', 'MatMul', 'Add', 'Mul', 'AveragePool', 'GlobalAveragePool', 'MaxPool', 'Sigmoid', 'Softmax'],
    ...['Relu', 'Clip', 'Concat', 'Resize', 'Reshape', 'Transpose', 'Flatten', 'Squeeze', 'Unsqueeze', 'Slice', 'Pad'],
  ],
  preferFloat: {},
  movesCodes: false,
  opset: { least: 10, newest: newestOpset },
  // It has none of them, but the parts of which LayerNormalization is made.
  fusedOpset: 0,
  slowFloat16: 'NNAPI takes float32 models and halves them itself where it is allowed to',
  exactProducts: true,
};
