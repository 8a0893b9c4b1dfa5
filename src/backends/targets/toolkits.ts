/**
 * Targets that are inference toolkits with compilers of their own, by themselves or as execution providers of onnxruntime: NVIDIA TensorRT
 * and Intel OpenVINO. Both want quantizers on the inputs of int8 layers alone, and float biases.
 */
import { newestOpset } from '../../opset/versions.ts';
import type { Target } from './target.ts';

/**
 * NVIDIA TensorRT, explicit quantization: zero points are 0 throughout, a quantizer stands where an int8 layer reads, the
 * result of a layer with weights stays float so that it fuses with what follows (a sum takes its other branch in int8), and
 * biases are float. Source: TensorRT developer guide, "Explicit Quantization"; onnxruntime issues 14229 and 17738.
 */
export const tensorRt: Target = {
  name: 'tensorrt',
  summary: 'NVIDIA TensorRT 8 and later, by itself or as execution provider of onnxruntime',
  scheme: {
    activationType: 'int8',
    activationSymmetric: true,
    weightType: 'int8',
    perChannel: true,
    weightRange: 'full',
  },
  formats: ['qdq', 'fp16', 'bf16'],
  activationTypes: ['int8'],
  weightTypes: ['int8'],
  symmetricActivations: true,
  perChannel: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'],
  perChannelTypes: ['int8'],
  encoding: { bias: 'float', weights: 'pairs', readers: 'own-pair', tables: 'apart' },
  placement: { activations: 'inputs', followers: 'between' },
  fixed: {},
  operators: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Add', 'MaxPool', 'AveragePool', 'GlobalAveragePool'],
  preferFloat: {},
  // Per-axis QuantizeLinear needs 13.
  movesCodes: false,
  opset: { least: 13, newest: newestOpset },
  fusedOpset: 20,
  exactProducts: true,
};

/**
 * Intel OpenVINO (CPU, GPU, NPU): quantizers on the inputs of int8 operators, biases float (its low-precision passes add them
 * to the accumulator in float). Source: the hardware configurations of NNCF, which is OpenVINO's own quantizer.
 */
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
