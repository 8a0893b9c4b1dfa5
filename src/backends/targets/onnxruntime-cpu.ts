/**
 * Targets with onnxruntime's own integer kernels: CPUs, and browsers, for which the same kernels are compiled to WebAssembly. All of them
 * are variants of `ortCpuX64`.
 *
 * x64 CPUs with VNNI multiply u8 × s8 exactly. Those with AVX2 alone add two such products in 16 bits, which saturate: full-range models
 * lose 10 to 15 dB there, and nothing says so. The target `ort-cpu-x64-avx2` therefore limits each pair of neighbouring weights (in the
 * kernel's own order) to a sum of 128 and picks the scale with the least squared error under that limit (quantized/pairs.ts): exact on
 * every CPU, at a fraction of what 7-bit weights lose. Full-range models can be judged on such a machine with exact arithmetic
 * (`exactInt8`).
 */
import { newestOpset, oldestOpset } from '../../opset/versions.ts';
import type { Target } from './target.ts';

const preferFloat = {
  AveragePool: "onnxruntime's int8 AveragePool is slower than its float kernel",
  ReduceMean: 'onnxruntime has no int8 ReduceMean kernel',
  ConvTranspose: 'onnxruntime has no int8 ConvTranspose kernel on CPU',
  Softmax:
    "onnxruntime's int8 Softmax takes four to six times as long as its float kernel, and reads its scores in 256 steps",
};

/** x64 with VNNI, and what every other target here differs from. */
export const ortCpuX64: Target = {
  name: 'ort-cpu-x64',
  summary: 'onnxruntime on x64 CPUs with AVX512-VNNI or AVX-VNNI (servers since 2019, desktops since 2021)',
  scheme: {
    activationType: 'uint8',
    activationSymmetric: false,
    weightType: 'int8',
    perChannel: true,
    weightRange: 'full',
  },
  formats: ['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16', 'bf16'],
  // 16-bit codes load and run, in float between conversions.
  activationTypes: ['uint8', 'int8', 'uint16', 'int16'],
  weightTypes: ['int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4'],
  symmetricActivations: false,
  perChannel: undefined,
  perChannelTypes: ['int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4'],
  encoding: { bias: 'int32', weights: 'codes', readers: 'share', tables: 'once' },
  placement: { activations: 'edges', followers: 'between' },
  fixed: {},
  operators: undefined,
  preferFloat,
  movesCodes: true,
  opset: { least: oldestOpset, newest: newestOpset },
  fusedOpset: 23,
  slowFloat16: 'onnxruntime computes float16 on CPU in float32, between conversions',
  exactProducts: true,
};

/** x64 with AVX2 and without VNNI. */
export const ortCpuX64Avx2: Target = {
  ...ortCpuX64,
  name: 'ort-cpu-x64-avx2',
  summary: 'onnxruntime on x64 CPUs without VNNI: weights are kept where 16-bit sums of products cannot saturate',
  scheme: { ...ortCpuX64.scheme, weightRange: 'pairs' },
  exactProducts: false,
};

/** ARM64: its dot-product instructions take signed bytes on both sides. */
export const ortCpuArm64: Target = {
  ...ortCpuX64,
  name: 'ort-cpu-arm64',
  summary: 'onnxruntime on ARM64 CPUs (Apple silicon, Graviton, phones)',
  scheme: { ...ortCpuX64.scheme, activationType: 'int8' },
};

/**
 * onnxruntime-web's WebAssembly build: the int8 kernels of the CPU build, exact in 16-bit pairs of bytes. Biases without zero points, so
 * that a model also loads where WebGPU is asked for.
 */
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

/**
 * onnxruntime-web's WebGPU provider has no int8 kernels: it dequantizes, so that int8 saves bytes there and no time. It refuses a
 * DequantizeLinear of int32 with a zero point.
 */
export const ortWebGpu: Target = {
  ...ortWeb,
  name: 'ort-web-webgpu',
  summary: 'onnxruntime-web, WebGPU: int8 saves size only; weight-only and fp16 are what runs fast',
  formats: ['qdq', 'weight-only', 'fp16'],
  fusedOpset: 20,
  slowFloat16: undefined,
};
