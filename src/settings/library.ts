/**
 * The functions of the library: which options each takes, and what is assumed of those that a caller leaves out. Callers of JavaScript
 * have no compiler that tells them of a misspelled option, which would otherwise change nothing in silence.
 */
import { availableParallelism } from 'node:os';
import { cliErrors } from '../errors/cli.ts';
import type * as Options from './options.ts';
import { namesOf, row, type DefaultedName, type SettingName } from './settings.ts';
import type { Stage } from './stages.ts';

const files = ['model', 'output'] as const;
const run = ['threads', 'command', 'onProgress', 'onWarning'] as const;

/** By function: its stage, and the options that are no settings. */
const functions = {
  fuseModel: { stage: 'fuse', more: [...files, ...run] },
  calibrateModel: { stage: 'calibrate', more: [...files, ...run, 'shard'] },
  mergeCalibrations: { stage: 'merge', more: ['states', 'output'] },
  exportCalibration: { stage: 'export', more: ['state', 'output'] },
  quantizeModel: { stage: 'quantize', more: [...files, ...run] },
  quantizeFinetuned: { stage: 'quantizeFinetuned', more: [...files, ...run] },
  prepareModel: { stage: 'prepare', more: [...files, ...run] },
  finetuneModel: { stage: 'finetune', more: [...files, ...run] },
  convertModel: { stage: 'convert', more: [...files, ...run] },
  compareModels: { stage: 'compare', more: ['float', 'quant', ...run] },
  measureSensitivity: { stage: 'sensitivity', more: ['model', ...run] },
  makeVariants: { stage: 'variants', more: [...files, ...run] },
} as const satisfies Readonly<Record<string, { readonly stage: Stage; readonly more: readonly string[] }>>;

export type LibraryFunction = keyof typeof functions;

/** Options that have a default, of any stage. */
type Defaulted = DefaultedName | keyof Options.Gated | 'threads';

/** Options of which the ones with a default may be left out. */
export type Given<T> = Pick<T, Exclude<keyof T, Defaulted>> & Partial<Pick<T, Extract<keyof T, Defaulted>>>;

type OptionsByFunction = {
  fuseModel: Options.FuseOptions;
  calibrateModel: Options.CalibrateOptions;
  mergeCalibrations: Options.MergeOptions;
  exportCalibration: Options.ExportOptions;
  quantizeModel: Options.QuantizeOptions;
  quantizeFinetuned: Options.QuantizeFinetunedOptions;
  prepareModel: Options.PrepareOptions;
  finetuneModel: Options.FinetuneOptions;
  convertModel: Options.ConvertOptions;
  compareModels: Options.CompareOptions;
  measureSensitivity: Options.SensitivityOptions;
  makeVariants: Options.VariantsOptions;
};

/** One thread per core this process may use: results do not depend on it, speed does. */
export function usualThreads(): number {
  return availableParallelism();
}

/** What the function gets: every name known, every default filled in. @throws OPTION_UNKNOWN */
export function optionsOf<F extends LibraryFunction>(
  name: F,
  given: Given<OptionsByFunction[F]>,
): OptionsByFunction[F] {
  checkNames(name, given);
  return withDefaults(name, given);
}

/** The options of a function, every default filled in. */
export function withDefaults<F extends LibraryFunction>(
  name: F,
  given: Given<OptionsByFunction[F]>,
): OptionsByFunction[F] {
  const { stage, more } = functions[name];
  const defaults = namesOf(stage).flatMap((setting) => {
    const option = optionName(setting);
    const { default: value } = row(setting);
    return option === undefined || value === undefined ? [] : [[option, value] as const];
  });
  const threads = (more as readonly string[]).includes('threads') ? { threads: usualThreads() } : {};
  return { ...Object.fromEntries(defaults), ...threads, ...given } as unknown as OptionsByFunction[F];
}

function optionName(setting: SettingName): string | undefined {
  const { option = setting } = row(setting);
  return option === false ? undefined : option;
}

function namesTaken(name: LibraryFunction): string[] {
  const { stage, more } = functions[name];
  return [...new Set([...namesOf(stage).map(optionName), ...more])].filter((option) => option !== undefined);
}

function checkNames(name: LibraryFunction, options: object): void {
  const names = namesTaken(name);
  const unknown = Object.entries(options).find(([key, value]) => value !== undefined && !names.includes(key))?.[0];
  if (unknown === undefined) return;
  const others = (Object.keys(functions) as LibraryFunction[]).filter((other) => namesTaken(other).includes(unknown));
  throw cliErrors.unknownFunctionOption(name, unknown, names, others);
}
