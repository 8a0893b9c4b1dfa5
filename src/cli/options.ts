/**
 * Every setting of qdq, once: its long flag is the key in kebab-case, its recipe key is the key itself. A command lists
 * the keys it takes; a flag therefore means the same everywhere. Help, completion, recipes and their JSON Schema come
 * from here. The tables of `options/` hold the settings, by the heading under which help lists them; the lists below are
 * what several commands take.
 */
import { flagName, type Option } from '../config/option.ts';
import { data } from './options/data.ts';
import { general } from './options/general.ts';
import { result } from './options/result.ts';
import { scheme } from './options/scheme.ts';
import { training } from './options/training.ts';

export const options = { ...data, ...scheme, ...training, ...result, ...general } satisfies Record<string, Option>;

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
/** How what is quantized is written: a model with fake quantizers is in one form only. */
export const formOptions = [
  'format',
  'optimize',
  'weightObserver',
  'embeddingBits',
  'blockSize',
  'weightMethod',
  'accuracyLevel',
  'keepIo',
  'floatType',
  'override',
  'recurrent',
] as const satisfies readonly OptionName[];
export const schemeOptions = [...formOptions, ...quantizerOptions] as const satisfies readonly OptionName[];
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
