/**
 * Every setting of qdq, once: its long flag is the key in kebab-case, its recipe key is the key itself. A command lists
 * the keys it takes; a flag therefore means the same everywhere. Help, completion, recipes and their JSON Schema come
 * from here.
 */
import { choice, flag, integer, list, negatablePath, path, positive, text, type Option } from '../config/option.ts';
import { defaults } from '../defaults.ts';
import { newestOpset, oldestOpset } from '../opset/versions.ts';

const data = 'Data:';
const scheme = 'Quantization:';
const result = 'Result:';
const general = 'General:';

export const options = {
  data: path({
    group: data,
    words: ['random'],
    describe:
      'samples: folder of images or .wav (class subfolders or labels.csv), .npy, .npz, .safetensors, .jsonl, .csv, folder of TensorProto sets, reader.mjs, random',
  }),
  reader: path({ group: data, describe: 'module that yields the samples: async iterator of {input: tensor, label?}' }),
  preprocess: text({
    group: data,
    describe:
      'for images: a preset (imagenet) and/or "resize=256 crop=224 scale=1/255 mean=.485,.456,.406 std=.229,.224,.225"; for sound: "rate=16000" with "length=N" or "frame=512 hop=512 context=64"',
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

  format: choice(['qdq'], { group: scheme, default: defaults.format, describe: 'form of the result' }),
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
  weightType: choice(['s8', 'u8'], { group: scheme, describe: 'integer type of weights', defaultText: "the target's" }),
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
  minRange: positive({
    group: scheme,
    describe:
      'least width of the range of an activation: narrower ones are stretched upwards (MinimumRealRange of onnxruntime)',
    defaultText: 'none',
  }),
  state: path({
    group: scheme,
    describe: "ranges from this file of 'qdq calibrate', or a table of onnxruntime or TensorRT, instead of --data",
  }),

  shard: text({
    group: data,
    describe:
      "observe shard i of n only, for 'qdq merge'; auto/n or auto: i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX",
    expects: 'i/n, auto/n or auto',
  }),
  as: choice(['ort-json', 'tensorrt'], { group: result, describe: 'whose table to write' }),
  partial: flag({ group: result, default: false, describe: 'merge although shards are missing' }),

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
      'condition on the report, "METRIC OP VALUE", such as "agreement >= 0.99" (repeatable); exit code 1 when it fails',
    expects: '"METRIC OP VALUE", such as "agreement >= 0.99"',
  }),
  report: negatablePath({
    group: result,
    describe: 'JSON report to write; --no-report: none, and quantize compares nothing',
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
export const observerOptions = ['observer', 'observerOption', 'exact'] as const satisfies readonly OptionName[];
export const schemeOptions = [
  'format',
  'target',
  'activationType',
  'weightType',
  'perTensor',
  'symmetric',
  'reduceRange',
  'weightObserver',
  'include',
  'exclude',
  'minRange',
  ...observerOptions,
] as const satisfies readonly OptionName[];
