/** What is quantized, to which types, and how ranges are found. */
import { choice, flag, integer, list, path, real, text, type Option } from '../../config/option.ts';
import { defaults } from '../../defaults.ts';

const group = 'Quantization:';

export const scheme = {
  format: choice(['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16', 'bf16'], {
    group,
    default: defaults.format,
    describe: 'form of the result; all but qdq and qoperator can be made without samples',
  }),
  target: text({
    group,
    describe: 'runtime and machine to quantize for, such as ort-cpu-x64 or ort-cpu-arm64',
    expects: 'the name of a target',
    defaultText: 'this machine',
  }),
  activationType: choice(['u8', 's8', 'u16', 's16'], {
    group,
    describe: 'integer type of activations',
    defaultText: "the target's",
  }),
  weightType: choice(['s8', 'u8', 's4', 'u4', 'f8'], {
    group,
    describe: 'type of weights; 4 bits are for size: no runtime on CPU multiplies them in QDQ',
    defaultText: "the target's",
  }),
  perTensor: flag({
    group,
    describe: 'one scale per weight tensor instead of one per channel',
    defaultText: "the target's",
  }),
  symmetric: flag({
    group,
    describe: 'zero point in the middle for activations too',
    defaultText: "the target's",
  }),
  optimize: choice(['latency', 'accuracy', 'size'], {
    group,
    describe:
      'latency: int8 where it pays; accuracy: first and last layers float; size: weights of float nodes in 8 bits too',
    defaultText: 'latency',
  }),
  reduceRange: flag({
    group,
    describe: 'weights in 7 bits, for CPUs whose int8 products saturate',
    defaultText: "the target's",
  }),
  weightObserver: choice(['max', 'mse'], {
    group,
    describe: 'scales of weights: largest magnitude, or least squared error',
    defaultText: 'max',
  }),
  improve: choice(['auto', 'bias', 'none'], {
    group,
    describe:
      'corrections without training, kept where samples that they have not seen are the better for it; bias: the mean error of each channel',
    defaultText: 'auto: all there are',
  }),
  weightBits: integer({
    group,
    min: 1,
    max: 16,
    describe: 'prepare: bits of the weights, 2 to 16, narrow codes are clamped; weight-only: 2, 4 or 8',
    defaultText: 'prepare: all of the type; weight-only: 4',
  }),
  embeddingBits: integer({
    group,
    min: 1,
    max: 8,
    describe: 'weight-only: bits of embeddings, and of a head that shares their table: 2, 4 or 8',
    defaultText: '8',
  }),
  blockSize: integer({
    group,
    min: 1,
    describe: 'weight-only: weights that share a scale, a power of two from 16 to 256',
    defaultText: '32, of 8 bits 128',
  }),
  weightMethod: choice(['rtn', 'hqq'], {
    group,
    describe: 'weight-only: round to nearest, or half-quadratic zero points',
    defaultText: 'rtn',
  }),
  accuracyLevel: integer({
    group,
    min: 0,
    max: 4,
    describe: 'weight-only: 4 multiplies in int8, 0 and 1 in float32, which is slower',
    defaultText: '4',
  }),
  keepIo: flag({
    group,
    describe: 'fp16: inputs and outputs stay float32; --no-keep-io: they are float16 too',
    defaultText: 'true',
  }),
  floatType: choice(['float32', 'float16'], {
    group,
    describe:
      'qdq: type of what stays float; float16 for targets that run it (tensorrt, openvino, qnn, ort-web-webgpu)',
    defaultText: 'float32',
  }),
  activationBits: integer({
    group,
    min: 2,
    max: 16,
    describe: 'bits of the activations that enter a layer with weights',
    defaultText: 'all of the type',
  }),
  firstLastBits: integer({
    group,
    min: 2,
    max: 16,
    describe: 'bits of weights and activations of the first and the last layers',
    defaultText: '8',
  }),
  include: list({
    group,
    describe: 'quantize only these: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  exclude: list({
    group,
    describe: 'leave these float: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  recurrent: choice(['keep', 'scan'], {
    group,
    describe:
      'qdq: scan opens LSTM, GRU and RNN into products and a Scan, for static int8; smaller, and rarely faster than --format dynamic',
    defaultText: 'keep',
  }),
  override: list({
    group,
    describe:
      'settings of some nodes, "PATTERN: key=value, ..." with the names of flags: "/head/: activation-type=u16", "Gemm: format=dynamic", "Softmax: format=float" (repeatable, later ones win)',
    expects: '"PATTERN: key=value, ...", such as "Gemm: format=dynamic"',
  }),
  observer: choice(['minmax', 'percentile', 'entropy', 'mse', 'histogram', 'average'], {
    group,
    default: defaults.observer,
    describe: 'how ranges are found from samples',
  }),
  observerOption: list({
    group,
    describe:
      'option of the observer: percentile=99.99 of percentile, p=2 (exponent of the error) and clip=1.75 (weight of what is clipped) of mse (repeatable)',
    expects: 'NAME=NUMBER, such as percentile=99.9',
  }),
  exact: flag({
    group,
    default: defaults.exact,
    describe: 'percentile, entropy, mse, histogram: every element, not a sample of each tensor; slower',
  }),
  minRange: real({
    group,
    min: 0,
    describe:
      'least width of the range of an activation: narrower ones are stretched upwards (MinimumRealRange of onnxruntime)',
    defaultText: 'none',
  }),
  range: list({
    group,
    describe:
      'range of an activation, or of all that operators of a type give, in place of the observed one (repeatable)',
    expects: 'NAME=LO,HI, such as features=-4,4 or Clip=0,6',
  }),
  state: path({
    group,
    describe: "ranges from this file of 'qdq calibrate', or a table of onnxruntime or TensorRT, instead of --data",
  }),
} satisfies Record<string, Option>;
