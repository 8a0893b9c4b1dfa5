/**
 * Targets that are execution providers of onnxruntime on phones and laptops: Qualcomm QNN, Android NNAPI and Apple Core ML. They are
 * written from documentation; none of them can be run here, so qdq plans and lints for them and runs such a model on the CPU.
 */
import { newestOpset, oldestOpset } from '../../opset/versions.ts';
import { ortCpuX64 } from './onnxruntime-cpu.ts';
import type { Target } from './target.ts';

/**
 * Qualcomm QNN (Hexagon): the whole graph in codes, because what is float goes back to the CPU. 16-bit Sigmoid and Tanh write
 * fixed parameters, only convolutions take one scale per channel, in signed codes. Source: onnxruntime's QNN quantization
 * configuration (python/tools/quantization/execution_providers/qnn) and its QNN provider page.
 */
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

/** What NNAPI's kernels write for results between 0 and 1: steps of 1/256 from 0 on. */
const unit = { uint8: { scale: 2 ** -8, zeroPoint: 0 } } as const;

/**
 * Android NNAPI by onnxruntime: unsigned codes; signed ones only as convolution weights with one scale per channel, which a
 * scheme with one weight type for all cannot ask for beside Gemm. Sigmoid and Softmax write 1/256 and 0. Source: the table of
 * NNAPI operators in onnxruntime's documentation, and NNAPI's own of ANEURALNETWORKS_LOGISTIC and _SOFTMAX.
 */
export const nnapi: Target = {
  name: 'nnapi',
  summary:
    'Android NNAPI by the execution provider of onnxruntime (8.1 and later); qdq lints for it and does not run it',
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

/**
 * Apple Core ML by onnxruntime: its provider takes neither QuantizeLinear nor DequantizeLinear, so that a quantized graph falls
 * apart into pieces between which data leaves the accelerator. float16 is what it runs. Source: the tables of Core ML operators
 * in onnxruntime's documentation.
 */
export const coreMl: Target = {
  name: 'coreml',
  summary: 'Apple Core ML by the execution provider of onnxruntime: float16 only; qdq lints for it and does not run it',
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
