/**
 * Every setting of qdq, once: its long flag is the key in kebab-case, its recipe key is the key itself. A command lists
 * the keys it takes; a flag therefore means the same everywhere. Help, completion, recipes and their JSON Schema come
 * from here.
 */
import {
  choice,
  flag,
  flagName,
  integer,
  list,
  negatablePath,
  path,
  real,
  text,
  type Option,
} from '../config/option.ts';
import { defaults } from '../defaults.ts';
import { newestOpset, oldestOpset } from '../opset/versions.ts';
import { renderers } from '../report/index.ts';

const data = 'Data:';
const scheme = 'Quantization:';
const training = 'Training:';
const result = 'Result:';
const general = 'General:';

export const options = {
  data: path({
    group: data,
    words: ['random'],
    describe:
      'samples: folder of images or .wav (class subfolders or labels.csv), .npy, .npz, .safetensors, .jsonl, .txt, .csv, folder of TensorProto sets, reader.mjs, random',
  }),
  reader: path({ group: data, describe: 'module that yields the samples: async iterator of {input: tensor, label?}' }),
  preprocess: text({
    group: data,
    describe:
      'for images: a preset (imagenet) and/or "resize=256 crop=224 scale=1/255 mean=.485,.456,.406 std=.229,.224,.225"; for sound: "rate=16000" with "length=N" or "frame=512 hop=512 context=64", or spectrograms: whisper, or "mel=80 fft=400 hop=160 log=ln"; for text: "tokenizer=tokenizer.json max-length=128"',
    expects: 'a preset such as imagenet, or key=value words',
  }),
  samples: integer({
    group: data,
    min: 1,
    describe: 'number of samples to use, drawn at random',
    defaultText: 'depends on the command',
  }),
  seed: integer({
    group: data,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: defaults.seed,
    describe: 'seed of every random choice',
  }),
  batch: integer({
    group: data,
    min: 1,
    describe: 'samples per run, where the model allows it',
    defaultText: 'by the model',
  }),
  input: list({
    group: data,
    describe: 'an input that is the same for every sample, "NAME=NUMBER", such as sr=16000 (repeatable)',
    expects: '"NAME=NUMBER", such as sr=16000',
  }),
  carry: list({
    group: data,
    describe: 'state of the model, "OUTPUT=INPUT": fed back from sample to sample of a sequence (repeatable)',
    expects: '"OUTPUT=INPUT", such as stateN=state',
  }),
  skipBad: flag({
    group: data,
    default: false,
    describe: 'leave out samples that cannot be read or do not fit, and count them in the report',
  }),
  eval: path({
    group: data,
    words: ['random'],
    describe: 'the samples of the report',
    defaultText: 'what --data leaves over',
  }),

  format: choice(['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16', 'bf16'], {
    group: scheme,
    default: defaults.format,
    describe: 'form of the result; all but qdq and qoperator can be made without samples',
  }),
  target: text({
    group: scheme,
    describe: 'runtime and machine to quantize for, such as ort-cpu-x64 or ort-cpu-arm64',
    expects: 'the name of a target',
    defaultText: 'this machine',
  }),
  activationType: choice(['u8', 's8', 'u16', 's16'], {
    group: scheme,
    describe: 'integer type of activations',
    defaultText: "the target's",
  }),
  weightType: choice(['s8', 'u8', 's4', 'u4', 'f8'], {
    group: scheme,
    describe: 'type of weights; 4 bits are for size: no runtime on CPU multiplies them in QDQ',
    defaultText: "the target's",
  }),
  perTensor: flag({
    group: scheme,
    describe: 'one scale per weight tensor instead of one per channel',
    defaultText: "the target's",
  }),
  symmetric: flag({
    group: scheme,
    describe: 'zero point in the middle for activations too',
    defaultText: "the target's",
  }),
  optimize: choice(['latency', 'accuracy', 'size'], {
    group: scheme,
    describe:
      'latency: int8 where it pays; accuracy: first and last layers float; size: weights of float nodes in 8 bits too',
    defaultText: 'latency',
  }),
  reduceRange: flag({
    group: scheme,
    describe: 'weights in 7 bits, for CPUs whose int8 products saturate',
    defaultText: "the target's",
  }),
  weightObserver: choice(['max', 'mse'], {
    group: scheme,
    describe: 'scales of weights: largest magnitude, or least squared error',
    defaultText: 'max',
  }),
  weightBits: integer({
    group: scheme,
    min: 1,
    max: 16,
    describe: 'prepare: bits of the weights, 2 to 16, narrow codes are clamped; weight-only: 2, 4 or 8',
    defaultText: 'prepare: all of the type; weight-only: 4',
  }),
  blockSize: integer({
    group: scheme,
    min: 1,
    describe: 'weight-only: weights that share a scale, a power of two from 16 to 256',
    defaultText: '32, of 8 bits 128',
  }),
  weightMethod: choice(['rtn', 'hqq'], {
    group: scheme,
    describe: 'weight-only: round to nearest, or half-quadratic zero points',
    defaultText: 'rtn',
  }),
  accuracyLevel: integer({
    group: scheme,
    min: 0,
    max: 4,
    describe: 'weight-only: 4 multiplies in int8, 0 and 1 in float32, which is slower',
    defaultText: '4',
  }),
  keepIo: flag({
    group: scheme,
    describe: 'fp16: inputs and outputs stay float32; --no-keep-io: they are float16 too',
    defaultText: 'true',
  }),
  activationBits: integer({
    group: scheme,
    min: 2,
    max: 16,
    describe: 'bits of the activations that enter a layer with weights',
    defaultText: 'all of the type',
  }),
  firstLastBits: integer({
    group: scheme,
    min: 2,
    max: 16,
    describe: 'bits of weights and activations of the first and the last layers',
    defaultText: '8',
  }),
  include: list({
    group: scheme,
    describe: 'quantize only these: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  exclude: list({
    group: scheme,
    describe: 'leave these float: node name, operator type or /regex/ (repeatable)',
    expects: 'a node name, an operator type or /regex/',
  }),
  recurrent: choice(['keep', 'scan'], {
    group: scheme,
    describe:
      'qdq: scan opens LSTM, GRU and RNN into products and a Scan, for static int8; smaller, and rarely faster than --format dynamic',
    defaultText: 'keep',
  }),
  override: list({
    group: scheme,
    describe:
      'settings of some nodes, "PATTERN: key=value, ..." with the names of flags: "/head/: activation-type=u16", "Gemm: format=dynamic", "Softmax: format=float" (repeatable, later ones win)',
    expects: '"PATTERN: key=value, ...", such as "Gemm: format=dynamic"',
  }),
  observer: choice(['minmax', 'percentile', 'entropy', 'mse', 'histogram', 'average'], {
    group: scheme,
    default: defaults.observer,
    describe: 'how ranges are found from samples',
  }),
  observerOption: list({
    group: scheme,
    describe: 'option of the observer: percentile=99.99 of percentile, p=2 (exponent of the error) of mse (repeatable)',
    expects: 'NAME=NUMBER, such as percentile=99.9',
  }),
  exact: flag({
    group: scheme,
    default: defaults.exact,
    describe: 'percentile, entropy, mse, histogram: every element, not a sample of each tensor; slower',
  }),
  minRange: real({
    group: scheme,
    min: 0,
    describe:
      'least width of the range of an activation: narrower ones are stretched upwards (MinimumRealRange of onnxruntime)',
    defaultText: 'none',
  }),
  range: list({
    group: scheme,
    describe:
      'range of an activation, or of all that operators of a type give, in place of the observed one (repeatable)',
    expects: 'NAME=LO,HI, such as features=-4,4 or Clip=0,6',
  }),
  state: path({
    group: scheme,
    describe: "ranges from this file of 'qdq calibrate', or a table of onnxruntime or TensorRT, instead of --data",
  }),

  withFinetuning: flag({
    group: training,
    flag: 'finetune',
    default: false,
    describe: 'train the model with fake quantizers before it is made int8, as prepare, finetune and convert do',
  }),
  teacher: path({
    group: training,
    describe: 'float model to distil from',
    defaultText: "the model's own float weights",
  }),
  steps: integer({ group: training, min: 1, describe: 'updates in all', defaultText: '400' }),
  epochs: integer({ group: training, min: 1, describe: 'passes over the data, instead of --steps' }),
  lr: real({
    group: training,
    min: 0,
    default: defaults.lr,
    describe:
      'learning rate; with BatchNormalization folded rarely above .005 with sgd, and about a tenth of it with adam',
  }),
  loss: text({
    group: training,
    describe: 'ce (labels), kl, mse or features (distillation), or a mix: "kl=1,ce=0.5"',
    expects: 'a loss, or a mix such as "kl=1,ce=0.5"',
    defaultText: 'ce with labels, else kl; "mse,features=.02" without classes',
  }),
  temperature: real({ group: training, min: 0.1, default: defaults.temperature, describe: 'of kl' }),
  labelSmoothing: real({ group: training, min: 0, max: 1, default: defaults.labelSmoothing, describe: 'of ce' }),
  optimizer: choice(['sgd', 'adam', 'adamw'], {
    group: training,
    default: defaults.optimizer,
    describe: 'how gradients move the parameters',
  }),
  momentum: real({ group: training, min: 0, max: 1, default: defaults.momentum, describe: 'of sgd' }),
  nesterov: flag({ group: training, default: defaults.nesterov, describe: "Nesterov's momentum, for sgd" }),
  weightDecay: real({
    group: training,
    min: 0,
    default: defaults.weightDecay,
    describe: 'of weights; biases and scales are spared',
  }),
  schedule: choice(['cosine', 'constant', 'step'], {
    group: training,
    default: defaults.schedule,
    describe: 'learning rate over time; step: a tenth after half of the steps and again after three quarters',
  }),
  warmup: integer({
    group: training,
    min: 0,
    default: defaults.warmup,
    describe: 'steps in which the learning rate rises',
  }),
  scales: choice(['lsq', 'log', 'none'], {
    group: training,
    default: defaults.scales,
    describe: 'how scales are trained: with the gradient of LSQ (of up to 8 bits), in the logarithm, or not at all',
  }),
  scaleLr: real({
    group: training,
    min: 0,
    default: defaults.scaleLr,
    describe: 'learning rate of scales, in parts of --lr',
  }),
  freezeScales: integer({ group: training, min: 0, describe: 'step after which scales rest' }),
  bn: choice(['fold', 'train', 'freeze'], {
    group: training,
    describe:
      'BatchNormalization: fold it into the weights, train with the statistics of each batch, or freeze them at the running ones',
    defaultText: 'prepare: fold; finetune: as prepared',
  }),
  freezeBn: integer({
    group: training,
    min: 0,
    describe: 'step after which --bn train uses running statistics and lets them rest',
    defaultText: 'half of the steps',
  }),
  clipNorm: real({ group: training, min: 0, describe: 'largest norm of the gradient' }),
  clipValue: real({ group: training, min: 0, describe: 'largest magnitude of each element of the gradient' }),
  accumulate: integer({ group: training, min: 1, default: defaults.accumulate, describe: 'batches per update' }),
  augment: text({
    group: training,
    describe: 'for images: "flip crop=4 color=0.1"; or a module, (sample, random) => sample',
    expects: '"flip crop=4 color=0.1", or a .mjs module',
  }),
  cache: integer({
    group: training,
    min: 0,
    default: defaults.cache,
    describe: 'megabytes of decoded samples to keep, where samples are used more than once; 0: none',
  }),
  evalEvery: integer({
    group: training,
    min: 0,
    default: defaults.evalEvery,
    describe: 'steps between evaluations on --eval, or on a tenth of --data that is held out; 0: only at the ends',
  }),
  patience: integer({
    group: training,
    min: 1,
    describe: 'evaluations without a better result after which training ends with the best',
  }),
  keep: choice(['last', 'best'], {
    group: training,
    default: defaults.keep,
    describe: 'which parameters to write: of the last step, or of the best evaluation',
  }),
  checkpoint: path({ group: training, describe: 'folder for the checkpoint, from which --resume goes on' }),
  checkpointEvery: integer({
    group: training,
    min: 1,
    default: defaults.checkpointEvery,
    describe: 'steps between checkpoints',
  }),
  resume: flag({
    group: training,
    default: defaults.resume,
    describe: 'go on from the checkpoint: the result has the same bytes as without the stop',
  }),
  log: path({ group: training, describe: 'file for loss, learning rate and metric of every step, as JSON lines' }),

  shard: text({
    group: data,
    describe:
      "observe shard i of n only, for 'qdq merge'; auto/n or auto: i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX",
    expects: 'i/n, auto/n or auto',
  }),
  as: choice(['ort-json', 'tensorrt'], { group: result, describe: 'whose table to write' }),
  partial: flag({ group: result, default: false, describe: 'merge although shards are missing' }),

  for: choice(['transformers.js'], { group: result, describe: 'runtime whose set of files to make' }),
  storage: choice(['int8', 'int4'], {
    group: result,
    default: defaults.storage,
    describe: 'bits in which the file holds weights of four bits or fewer; they run in the same int8 kernels',
  }),
  output: path({ group: result, alias: 'o', describe: 'file to write' }),
  externalData: choice(['auto', 'always', 'never'], {
    group: result,
    default: defaults.externalData,
    describe: 'write tensors to a file beside the model; auto: only when they do not fit in 2 GiB',
  }),
  opset: integer({
    group: result,
    min: oldestOpset,
    max: newestOpset,
    describe: 'upgrade the model to this opset first, if it is older',
    defaultText: "the model's",
  }),
  skip: list({ group: result, describe: 'fusion pass not to run (repeatable)', expects: 'the name of a fusion pass' }),
  gate: list({
    group: result,
    describe:
      'condition on the report, "[warn:] METRIC OP BOUND", such as "agreement >= 0.99" or "latency.speedup >= baseline * 90%" (repeatable); exit code 1 when it fails',
    expects: '"METRIC OP BOUND", such as "agreement >= 0.99"',
  }),
  baseline: path({ group: result, describe: 'JSON report that gates relative to "baseline" compare with' }),
  updateBaseline: flag({
    group: result,
    default: false,
    describe: 'make this report the baseline, unless an absolute gate fails',
  }),
  int8: path({ group: data, describe: 'an int8 model made from MODEL, whose quantizers are judged' }),
  until: text({
    group: result,
    describe: 'search the layers to leave float until this holds, such as "output.sqnr >= 30"',
    expects: '"METRIC OP VALUE", such as "output.sqnr >= 30"',
  }),
  measure: integer({
    group: result,
    min: 1,
    describe: 'measure only this many layers, the most harmful of a first look at 4 samples',
    defaultText: 'all',
  }),
  into: path({ group: result, describe: 'report of quantize or compare to add the result to' }),
  task: choice(['detection', 'segmentation', 'regression', 'sequence'], {
    group: result,
    describe: 'judge the outputs as this task, the float model being the reference',
  }),
  taskOption: list({
    group: result,
    describe: 'setting of the task, such as score=0.7 iou=0.5 background=0 form=center of detection (repeatable)',
    expects: 'NAME=VALUE, such as score=0.7',
  }),
  metric: list({
    group: result,
    describe: 'module with a metric of your own: default export { id, better, create } (repeatable)',
    expects: 'the path of a module',
  }),
  layers: flag({
    group: result,
    describe: 'compare every quantized tensor on every sample; --no-layers: on none',
    defaultText: 'on the first 32',
  }),
  profile: flag({
    group: result,
    default: false,
    describe: "latency by operator from onnxruntime's profile, float beside int8",
  }),
  report: negatablePath({
    group: result,
    describe:
      'report to write: JSON, or by its extension .html, .md, .xml (JUnit), .csv, .txt; --no-report: none, and quantize compares nothing',
  }),
  reportFormat: list({
    group: result,
    describe: 'also write the report as html, markdown, junit, csv or terminal text beside --report (repeatable)',
    expects: 'html, markdown, junit, csv, json or terminal',
  }),
  renderAs: choice(
    renderers.map(({ format }) => format),
    { flag: 'format', group: result, describe: 'form to write', defaultText: "terminal, or by --output's extension" },
  ),
  htmlStatic: flag({ group: result, default: false, describe: 'HTML without any script' }),
  github: flag({
    group: result,
    default: false,
    describe: 'in GitHub Actions: annotations on stderr, and the report in the job summary',
  }),

  threads: integer({ group: general, min: 1, max: 1024, describe: 'threads of onnxruntime', defaultText: 'all cores' }),
  workers: integer({
    group: general,
    min: 1,
    max: 1024,
    default: defaults.workers,
    describe: 'worker threads that calibrate side by side, each with one thread of onnxruntime',
  }),
  saveEvery: integer({
    group: general,
    min: 0,
    default: defaults.saveEvery,
    describe: 'seconds between saves to OUT.partial, from where the same command goes on after it was stopped',
  }),
  config: path({
    group: general,
    describe: 'recipe file',
    defaultText: 'qdq.config.{json,yaml,yml,mjs} in this folder',
  }),
  json: flag({ group: general, default: false, describe: 'print the result as JSON' }),
  quiet: flag({
    group: general,
    alias: 'q',
    default: false,
    describe: 'no progress, notes or warnings; of a report the verdict alone',
  }),
  verbose: flag({ group: general, default: false, describe: 'stack traces of internal errors' }),
} satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

type ValueOf<K extends OptionName> = (typeof options)[K] extends Option<infer T> ? T : never;
type WithDefault<K extends OptionName> = {
  [P in K]: (typeof options)[P] extends { readonly default: unknown } ? P : never;
}[K];

/** The checked settings of a command: always present when they have a default, else left out. */
export type Values<K extends OptionName> = { readonly [P in WithDefault<K>]: ValueOf<P> } & {
  readonly [P in Exclude<K, WithDefault<K>>]?: ValueOf<P>;
};

/** `perTensor` → `per-tensor`, without the dashes. */
export function flagOf(key: OptionName): string {
  return (options[key] as Option).flag ?? flagName(key);
}

/** What every command takes. */
export const commonOptions = ['json', 'quiet', 'verbose'] as const satisfies readonly OptionName[];
/** What a command takes besides when it takes settings of its own. */
export const recipeOptions = ['config'] as const satisfies readonly OptionName[];
export const dataOptions = [
  'data',
  'reader',
  'preprocess',
  'samples',
  'seed',
  'batch',
  'input',
  'carry',
  'skipBad',
] as const satisfies readonly OptionName[];
/** Where the report goes, and what judges it. */
export const reportOptions = [
  'task',
  'taskOption',
  'metric',
  'gate',
  'baseline',
  'updateBaseline',
  'profile',
  'report',
  'reportFormat',
  'htmlStatic',
  'github',
] as const satisfies readonly OptionName[];
export const observerOptions = ['observer', 'observerOption', 'exact'] as const satisfies readonly OptionName[];
/** Types and granularity of quantizers. */
export const typeOptions = [
  'target',
  'activationType',
  'weightType',
  'perTensor',
  'symmetric',
  'reduceRange',
] as const satisfies readonly OptionName[];
/** What quantizers there are, and where. */
export const quantizerOptions = [
  ...typeOptions,
  'weightBits',
  'include',
  'exclude',
  'minRange',
  'range',
  ...observerOptions,
] as const satisfies readonly OptionName[];
export const schemeOptions = [
  'format',
  'optimize',
  'weightObserver',
  'blockSize',
  'weightMethod',
  'accuracyLevel',
  'keepIo',
  'override',
  'recurrent',
  ...quantizerOptions,
] as const satisfies readonly OptionName[];
export const trainingOptions = [
  'teacher',
  'steps',
  'epochs',
  'lr',
  'loss',
  'temperature',
  'labelSmoothing',
  'optimizer',
  'momentum',
  'nesterov',
  'weightDecay',
  'schedule',
  'warmup',
  'scales',
  'scaleLr',
  'freezeScales',
  'bn',
  'freezeBn',
  'clipNorm',
  'clipValue',
  'accumulate',
  'augment',
  'cache',
  'evalEvery',
  'patience',
  'keep',
  'checkpoint',
  'checkpointEvery',
  'resume',
  'log',
] as const satisfies readonly OptionName[];
