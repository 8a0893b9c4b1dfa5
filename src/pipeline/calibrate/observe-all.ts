/** The samples of a calibration, spread over worker threads; with one worker, over none. */
import { extname } from 'node:path';
import type { ObserverState } from '../../calibrate/observers/observer.ts';
import type { Model } from '../../graph/model.ts';
import { runWorkers } from '../../parallel/task-workers.ts';
import type { CalibrateOptions } from '../../settings/options.ts';
import { observe, type Observed, type Share } from './observe.ts';
import type { Samples } from '../samples/samples.ts';

export interface WorkerTask {
  /** Without functions, which cannot be sent. */
  readonly options: Omit<CalibrateOptions, 'onProgress' | 'onWarning'>;
  readonly opset: number;
  readonly share: Share;
}

export type WorkerMessage =
  | { readonly done: number }
  | { readonly places: readonly number[]; readonly arrays: ObserverState };

export interface AllSigns {
  /** Samples done by all workers together. */
  onProgress(done: number): void;
  /** What the samples at these places came to, in one state per worker. */
  onState(places: readonly number[], states: readonly ObserverState[]): void;
}

/** Compiled or not, like this module. */
const entry = new URL(`./observe-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * @param share what is to be observed in all; `model` and `samples` are used when there is one worker
 * @param opset to which workers upgrade the model
 */
export async function observeAll(
  model: Model,
  samples: Samples,
  share: Omit<Share, 'worker'>,
  { onProgress: _, onWarning: __, ...options }: CalibrateOptions,
  opset: number,
  { onProgress, onState }: AllSigns,
): Promise<Observed[]> {
  const { workers } = options;
  if (workers === 1) {
    const worker = { index: 1, count: 1 };
    const signs = {
      onProgress,
      onState: (places: readonly number[], arrays: ObserverState) => onState(places, [arrays]),
    };
    return [await observe(model, samples, { ...share, worker }, options, signs)];
  }
  const tasks = Array.from({ length: workers }, (_each, i): WorkerTask => ({
    options: { ...options, threads: 1 },
    opset,
    share: { ...share, worker: { index: i + 1, count: workers } },
  }));
  const done = tasks.map(() => 0);
  const latest = new Map<number, { readonly places: readonly number[]; readonly arrays: ObserverState }>();
  return runWorkers<WorkerTask, WorkerMessage, Observed>(entry, tasks, (message, index) => {
    if ('done' in message) {
      done[index] = message.done;
      return onProgress(done.reduce((sum, each) => sum + each));
    }
    latest.set(index, message);
    const all = [...latest.values()];
    onState(
      all.flatMap(({ places }) => places),
      all.map(({ arrays }) => arrays),
    );
  });
}
