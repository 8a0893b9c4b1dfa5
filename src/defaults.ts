/**
 * What is assumed when neither a caller, a flag nor a recipe says otherwise; the library and the command line share it.
 */
import { availableParallelism } from 'node:os';
import type {
  CalibrateOptions,
  CompareOptions,
  ConvertOptions,
  FinetuneOptions,
  FuseOptions,
  PrepareOptions,
  QuantizeFinetunedOptions,
  QuantizeOptions,
  SensitivityOptions,
} from './pipeline-types.ts';

export const defaults = {
  seed: 0,
  format: 'qdq',
  observer: 'mse',
  exact: false,
  externalData: 'auto',
  storage: 'int8',
  workers: 1,
  saveEvery: 10,
  lr: 0.002,
  temperature: 1,
  labelSmoothing: 0,
  optimizer: 'sgd',
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  schedule: 'cosine',
  warmup: 0,
  scales: 'lsq',
  scaleLr: 1,
  accumulate: 1,
  cache: 64,
  evalEvery: 100,
  keep: 'last',
  checkpointEvery: 50,
  resume: false,
} as const;

const everything = { ...defaults, include: [], exclude: [], observerOption: [], gates: [], skip: [] };

type Defaulted = keyof typeof everything | 'threads';

/** Options of which the ones with a default may be left out. */
export type Given<T> = Omit<T, Defaulted> & Partial<Pick<T, Extract<keyof T, Defaulted>>>;

type AnyOptions =
  | FuseOptions
  | CalibrateOptions
  | QuantizeOptions
  | QuantizeFinetunedOptions
  | CompareOptions
  | PrepareOptions
  | ConvertOptions
  | FinetuneOptions
  | SensitivityOptions;

/** One thread per core this process may use: results do not depend on it, speed does. */
export function usualThreads(): number {
  return availableParallelism();
}

export function withDefaults<T extends AnyOptions>(given: Given<T>): T {
  return { ...everything, threads: usualThreads(), ...given } as unknown as T;
}
