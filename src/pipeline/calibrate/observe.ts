/**
 * One process or worker at its share of the samples: which they are, what they come to, and now and then a sign of how far
 * it is. Shares follow from places alone, so that any number of workers, today's and those of a run that was stopped, cover
 * every sample once.
 */
import { calibrate } from '../../calibrate/calibrate.ts';
import type { ObserverState } from '../../calibrate/observers/observer.ts';
import type { CalibrationState } from '../../calibrate/state.ts';
import { inShard, partOf, type Part, type Shard } from '../../data/selection.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import type { Model } from '../../graph/model.ts';
import type { CalibrateOptions, ObserverFlags } from '../../settings/options.ts';
import { observerSettings } from './ranges.ts';
import type { Samples } from '../samples/samples.ts';

export interface Share {
  readonly modelSha256: string;
  readonly tensors: readonly string[];
  readonly shard: Shard;
  /** Of the shard, split once more. */
  readonly worker: Shard;
  /** By place in the selection: 1 for a sample that an earlier run took in. */
  readonly taken: Uint8Array;
}

export interface Observed {
  /** Undefined when no sample of the share was left. */
  readonly state: CalibrationState | undefined;
  readonly tally: NonNullable<ReturnType<Part['tally']>>;
}

export interface Signs {
  onProgress(done: number): void;
  /** What the samples at these places came to. */
  onState(places: readonly number[], arrays: ObserverState): void;
}

export type ObserveFlags = Pick<CalibrateOptions, 'threads' | 'batch' | 'saveEvery'> & ObserverFlags;

/** @param flags `saveEvery`: seconds between calls of `onState` */
export async function observe(
  model: Model,
  { dataset, selection }: Samples,
  { modelSha256, tensors, shard, worker, taken }: Share,
  { threads, batch, saveEvery, ...flags }: ObserveFlags,
  { onProgress, onState }: Signs,
): Promise<Observed> {
  const isMine = inShard(worker);
  const isLeft = (place: number): boolean => isMine(Math.floor(place / shard.count)) && taken[place] !== 1;
  const part = partOf(dataset, selection, inShard(shard), isLeft);
  let saved = performance.now();
  const state = await calibrate(model, tensors, part.dataset, part.selection, {
    modelSha256,
    observer: flags.observer,
    observerOptions: observerSettings(flags),
    threads,
    ...(batch === undefined ? {} : { batchSize: batch }),
    onProgress,
    onState(samples, arraysNow) {
      if (performance.now() - saved < saveEvery * 1000) return;
      onState(part.places(samples), arraysNow());
      saved = performance.now();
    },
  }).catch((error: unknown) => {
    // Others may have had more of them; whether there were any at all is for the caller to say.
    if (error instanceof QdqError && error.code === 'CALIBRATE_NO_SAMPLES') return undefined;
    throw error;
  });
  return { state, tally: part.tally()! };
}
