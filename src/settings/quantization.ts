/** What is quantized, to which types, and how ranges are found. */
import { choice, flag, integer, list, path, real, text } from './setting.ts';
import { formatNames, quantizing } from './stages.ts';

const group = 'Quantization:';

export const quantization = {
  format: choice(formatNames, {
    group,
    stages: ['quantize'],
    default: 'qdq',
    describe: 'form of the result; all but qdq and qoperator can be made without samples',
  }),
  /** A target of `backends` (ort-cpu-x64, ...); default: this machine. */
  target: text({
    group,
    stages: ['explain', 'inspect', 'lint', ...quantizing],
    describe: 'runtime and machine to quantize for, such as ort-cpu-x64 or ort-cpu-arm64',
    expects: 'the name of a target',
    defaultText: 'this machine',
  }),
  activationType: choice(['u8', 's8', 'u16', 's16'], {
    group,
    stages: quantizing,
    formats: ['qdq', 'qoperator'],
    describe: 'integer type of activations',
    defaultText: "the target's",
  }),
  weightType: choice(['s8', 'u8', 's4', 'u4', 'f8'], {
    group,
    stages: quantizing,
    formats: ['qdq', 'qoperator', 'dynamic'],
    describe: 'type of weights; 4 bits are for size: no runtime on CPU multiplies them in QDQ',
    defaultText: "the target's",
  }),
  perTensor: flag({
    group,
    stages: quantizing,
    formats: ['qdq', 'qoperator', 'dynamic'],
    describe: 'one scale per weight tensor instead of one per channel',
    defaultText: "the target's",
  }),
  symmetric: flag({
    group,
    stages: quantizing,
    formats: ['qdq', 'qoperator', 'weight-only'],
    describe: 'zero point in the middle for activations too',
    defaultText: "the target's",
  }),
  /** What the result is to be best at; latency when absent. */
  optimize: choice(['latency', 'accuracy', 'size'], {
    group,
    stages: ['explain', 'quantize'],
    formats: ['qdq', 'qoperator'],
    describe:
      'latency: int8 where it pays; accuracy: first and last layers float; size: weights of float nodes in 8 bits too',
    defaultText: 'latency',
  }),
  reduceRange: flag({
    group,
    stages: quantizing,
    formats: ['qdq', 'qoperator', 'dynamic'],
    describe: 'weights in 7 bits, for CPUs whose int8 products saturate',
    defaultText: "the target's",
  }),
  /** How the scales of weights are found; default max. */
  weightObserver: choice(['max', 'mse'], {
    group,
    stages: ['quantize'],
    formats: ['qdq'],
    describe: 'scales of weights: largest magnitude, or least squared error',
    defaultText: 'max',
  }),
  /** Which corrections are tried; each is kept where samples that it has not seen are the better for it. Default: all there are. */
  improve: choice(['auto', 'bias', 'none'], {
    group,
    stages: ['quantize'],
    describe:
      'corrections without training, kept where samples that they have not seen are the better for it; bias: the mean error of each channel',
    defaultText: 'auto: all there are',
  }),
  /** weight-only: bits of a weight. QAT: bits of the weights of layers, 2 to 16; default: all of their type. */
  weightBits: integer({
    group,
    stages: ['prepare', 'quantize', 'quantizeFinetuned'],
    formats: ['weight-only'],
    min: 1,
    max: 16,
    describe: 'prepare: bits of the weights, 2 to 16, narrow codes are clamped; weight-only: 2, 4 or 8',
    defaultText: 'prepare: all of the type; weight-only: 4',
  }),
  /** weight-only: bits of an element of a table that rows are picked from; default 8. */
  embeddingBits: integer({
    group,
    stages: ['quantize'],
    formats: ['weight-only'],
    min: 1,
    max: 8,
    describe: 'weight-only: bits of embeddings, and of a head that shares their table: 2, 4 or 8',
    defaultText: '8',
  }),
  /** weight-only: weights that share a scale, a power of two from 16 to 256. */
  blockSize: integer({
    group,
    stages: ['quantize'],
    formats: ['weight-only'],
    min: 1,
    describe: 'weight-only: weights that share a scale, a power of two from 16 to 256',
    defaultText: '32, of 8 bits 128',
  }),
  /** weight-only: round to nearest, or half-quadratic zero points. */
  weightMethod: choice(['rtn', 'hqq'], {
    group,
    stages: ['quantize'],
    formats: ['weight-only'],
    describe: 'weight-only: round to nearest, or half-quadratic zero points',
    defaultText: 'rtn',
  }),
  /** weight-only: 4 multiplies in int8, 1 in float32. */
  accuracyLevel: integer({
    group,
    stages: ['quantize'],
    formats: ['weight-only'],
    min: 0,
    max: 4,
    describe: 'weight-only: 4 multiplies in int8, 0 and 1 in float32, which is slower',
    defaultText: '4',
  }),
  /** fp16, bf16: inputs and outputs stay float32. */
  keepIo: flag({
    group,
    stages: ['quantize'],
    formats: ['fp16'],
    describe: 'fp16: inputs and outputs stay float32; --no-keep-io: they are float16 too',
    defaultText: 'true',
  }),
  /** qdq: what stays float computes in float16, on targets that run it. */
  floatType: choice(['float32', 'float16'], {
    group,
    stages: ['quantize'],
    formats: ['qdq'],
    describe:
      'qdq: type of what stays float; float16 for targets that run it (tensorrt, openvino, qnn, ort-web-webgpu)',
    defaultText: 'float32',
  }),
  activationBits: integer({
    group,
    stages: ['prepare', 'quantizeFinetuned'],
    min: 2,
    max: 16,
    describe: 'bits of the activations that enter a layer with weights',
    defaultText: 'all of the type',
  }),
  /** Bits of both in the first and the last layers; default 8. */
  firstLastBits: integer({
    group,
    stages: ['prepare', 'quantizeFinetuned'],
    min: 2,
    max: 16,
    describe: 'bits of weights and activations of the first and the last layers',
    defaultText: '8',
  }),
  /** Node names, operator types or /regular expressions/; empty means everything. */
  include: list({
    group,
    stages: ['explain', 'inspect', ...quantizing],
    describe: 'quantize only these: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  exclude: list({
    group,
    stages: ['explain', 'inspect', ...quantizing],
    describe: 'leave these float: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  /** qdq: scan opens LSTM, GRU and RNN, so that their products run in static int8. */
  recurrent: choice(['keep', 'scan'], {
    group,
    stages: ['quantize'],
    formats: ['qdq'],
    describe:
      'qdq: scan opens LSTM, GRU and RNN into products and a Scan, for static int8; smaller, and rarely faster than --format dynamic',
    defaultText: 'keep',
  }),
  /** "PATTERN: key=value, ...": settings of single nodes, as flags name them, or format=float. */
  override: list({
    group,
    stages: ['explain', 'quantize'],
    describe:
      'settings of some nodes, "PATTERN: key=value, ..." with the names of flags: "/head/: activation-type=u16", "Gemm: format=dynamic", "Softmax: format=float" (repeatable, later ones win)',
    expects: '"PATTERN: key=value, ...", such as "Gemm: format=dynamic"',
  }),
  observer: choice(['minmax', 'percentile', 'entropy', 'mse', 'histogram', 'average'], {
    group,
    stages: ['calibrate', ...quantizing],
    default: 'mse',
    describe: 'how ranges are found from samples',
  }),
  /** "NAME=NUMBER", such as "percentile=99.9". */
  observerOption: list({
    group,
    stages: ['calibrate', ...quantizing],
    describe:
      'option of the observer: percentile=99.99 of percentile, p=2 (exponent of the error) and clip=1.75 (weight of what is clipped) of mse (repeatable)',
    expects: 'NAME=NUMBER, such as percentile=99.9',
  }),
  /** Histograms of every element instead of a sample of each tensor: slower. */
  exact: flag({
    group,
    stages: ['calibrate', ...quantizing],
    default: false,
    describe: 'percentile, entropy, mse, histogram: every element, not a sample of each tensor; slower',
  }),
  /** Least width of an observed range, zero included, in real units: a narrower one is stretched upwards. */
  minRange: real({
    group,
    stages: ['prepare', 'quantize', 'quantizeFinetuned'],
    min: 0,
    describe:
      'least width of the range of an activation: narrower ones are stretched upwards (MinimumRealRange of onnxruntime)',
    defaultText: 'none',
  }),
  /** "NAME=LO,HI": ranges that take the place of observed ones, of a tensor or of all that operators of a type give. */
  range: list({
    group,
    stages: ['prepare', 'quantize', 'quantizeFinetuned'],
    describe:
      'range of an activation, or of all that operators of a type give, in place of the observed one (repeatable)',
    expects: 'NAME=LO,HI, such as features=-4,4 or Clip=0,6',
  }),
  /** Calibration state file: ranges instead of `data`. */
  state: path({
    group,
    reads: { kind: 'file', as: 'the calibration state' },
    stages: ['prepare', 'quantize', 'quantizeFinetuned'],
    describe: "ranges from this file of 'qdq calibrate', or a table of onnxruntime or TensorRT, instead of --data",
  }),
};
