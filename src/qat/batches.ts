/**
 * The batches of a training run, from any step on. Datasets with positions are shuffled anew for each epoch; streams are read
 * again and again in their own order. Samples are read ahead while a step is computed.
 */
import { random, type Random } from '../data/random.ts';
import type { Dataset, Sample } from '../data/sample.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import { batchesPerEpoch, epochOrder } from './order.ts';

/** Changes a sample before it is used; random numbers are a function of the sample's place in the run. */
export type Augment = (sample: Sample, random: Random) => Sample | Promise<Sample>;

export interface BatchRequest {
  readonly dataset: Dataset;
  /** Positions to train on, ascending; undefined for a stream. */
  readonly positions: readonly number[] | undefined;
  /** Samples per step. */
  readonly size: number;
  readonly seed: number;
  readonly augment: Augment | undefined;
}

/** Far from the streams that choose and shuffle samples. */
const augmentStream = 2 ** 40;

/** @param from step, counted from 0. Never ends. @throws QAT_FEW_SAMPLES */
export async function* trainingBatches(request: BatchRequest, from: number): AsyncGenerator<readonly Sample[]> {
  const { size, seed, augment } = request;
  let place = from * size;
  let waiting: Sample[] = [];
  for await (const sample of request.positions ? shuffled(request, from) : repeated(request, from)) {
    waiting.push(augment ? await augment(sample, random(seed, augmentStream + place)) : sample);
    place++;
    if (waiting.length < size) continue;
    yield waiting;
    waiting = [];
  }
}

/** How many steps use every sample once; undefined for a stream. */
export function stepsPerEpoch({ positions, size }: Pick<BatchRequest, 'positions' | 'size'>): number | undefined {
  return positions && batchesPerEpoch(positions.length, size);
}

async function* shuffled({ dataset, positions, size, seed }: BatchRequest, from: number): AsyncGenerator<Sample> {
  const perEpoch = batchesPerEpoch(positions!.length, size);
  if (perEpoch === 0) throw finetuneErrors.fewSamples(positions!.length, size);
  for (let epoch = Math.floor(from / perEpoch); ; epoch++) {
    const order = epochOrder(positions!.length, seed, epoch).subarray(0, perEpoch * size);
    const start = epoch === Math.floor(from / perEpoch) ? (from % perEpoch) * size : 0;
    yield* dataset.samples(Array.from(order.subarray(start), (place) => positions![place]!));
  }
}

async function* repeated({ dataset, size }: BatchRequest, from: number): AsyncGenerator<Sample> {
  let skip = from * size;
  for (;;) {
    let count = 0;
    for await (const sample of dataset.samples({ from: 0 })) {
      count++;
      if (skip > 0) skip--;
      else yield sample;
    }
    if (count < size) throw finetuneErrors.fewSamples(count, size);
  }
}

/** Keeps the next item in the making while the last one is in use. */
export async function* ahead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = source.next();
      // Its failure is thrown at the next turn; until then it must not count as unhandled.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await source.return(undefined as never);
  }
}
