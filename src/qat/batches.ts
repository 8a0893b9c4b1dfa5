/**
 * The batches of a training run, from any step on, and the runs and targets of each. Which samples make up which batch is a pure
 * function of seed, epoch and place, so that a run that was stopped goes on with the very samples that were next, whatever the number
 * of workers. Datasets with positions are shuffled anew for each epoch; streams are read again and again in their own order.
 */
import { feedsOf, grouped } from '../data/batch.ts';
import { filledUp, type Runs } from '../data/runs.ts';
import type { Sample, Dataset } from '../data/sample.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Shard } from './engine.ts';
import { random, type Random } from '../data/random.ts';

/** Changes a sample before it is used; random numbers are a function of the sample's place in the run. */
export type Augment = (sample: Sample, random: Random) => Sample | Promise<Sample>;

/** Which samples are trained on, and in what order. */
interface BatchRequest {
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

/** Yields `size` samples for each step, without end. @param from step, counted from 0 @throws QAT_FEW_SAMPLES */
export function trainingBatches(request: BatchRequest, from: number): AsyncGenerator<readonly Sample[]> {
  return grouped(augmented(request, from), request.size);
}

/** How many steps use every sample once; undefined for a stream. */
export function stepsPerEpoch({ positions, size }: Pick<BatchRequest, 'positions' | 'size'>): number | undefined {
  return positions && batchesPerEpoch(positions.length, size);
}

async function* augmented(request: BatchRequest, from: number): AsyncGenerator<Sample> {
  const { size, seed, augment } = request;
  let place = from * size;
  for await (const sample of request.positions ? shuffled(request, from) : repeated(request, from)) {
    yield augment ? await augment(sample, random(seed, augmentStream + place)) : sample;
    place++;
  }
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

/** Far from the streams that choose samples. */
const shuffleStream = 2 ** 32;

/** The order of an epoch: a permutation of 0 … count - 1. */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const generator = random(seed, shuffleStream + epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = generator.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Counts the whole batches of one epoch; what is left over waits for another shuffle. */
export function batchesPerEpoch(count: number, batch: number): number {
  return Math.floor(count / batch);
}

/** How labels become target probabilities. */
export interface TargetRequest {
  readonly classes: number;
  /** Label smoothing ε, 0 for none. */
  readonly smoothing: number;
}

/**
 * Labels → target probabilities [samples, classes]: 1 − ε + ε/C for the class and ε/C for the others, with ε the label smoothing and C
 * the number of classes.
 * @throws QAT_LABEL for a label that is no class, QAT_UNLABELLED for none
 */
export function targetsOf(samples: readonly Sample[], { classes, smoothing }: TargetRequest): TensorValue {
  const data = new Float32Array(samples.length * classes).fill(smoothing / classes);
  samples.forEach(({ id, label }, row) => {
    if (label === undefined) throw finetuneErrors.unlabelled(id);
    if (!(label >= 0 && label < classes)) throw finetuneErrors.label(id, label, classes);
    data[row * classes + label] = 1 - smoothing + smoothing / classes;
  });
  return { type: 'float32', dims: [samples.length, classes], data };
}

/** Splits a step into shards, each a run of the training graph. @throws DATA_* when samples do not fit together */
export function shardsOf(samples: readonly Sample[], runs: Runs, target: TargetRequest | undefined): Shard[] {
  const shards: Shard[] = [];
  for (let from = 0; from < samples.length; from += runs.samples) {
    const part = samples.slice(from, from + runs.samples);
    shards.push({
      feeds: feedsOf(part, runs),
      ...(target && { target: targetsOf(filledUp(part, runs), target) }),
    });
  }
  return shards;
}
