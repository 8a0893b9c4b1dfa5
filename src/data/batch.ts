/** Samples to batches: grouped, joined along the batch axis and filled up (runs.ts), the next being read while the last one is in use. */
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import { oneAtATime, filledUp, planRuns, type Runs, type InputHints } from './runs.ts';
import type { Batch, Dataset, InputInfo, Sample, Selection } from './sample.ts';

/** Batches in the order of the selection; the last may be short. */
export function batches(dataset: Dataset, selection: Selection, runs: Runs): AsyncGenerator<Batch> {
  return ahead(joined(dataset.samples(selection), runs));
}

async function* joined(samples: AsyncIterable<Sample>, runs: Runs): AsyncGenerator<Batch> {
  for await (const group of grouped(samples, runs.samples)) yield batchOf(group, runs);
}

/** Samples in groups of `size`; the last may be smaller. */
export async function* grouped(samples: AsyncIterable<Sample>, size: number): AsyncGenerator<readonly Sample[]> {
  let waiting: Sample[] = [];
  for await (const sample of samples) {
    waiting.push(sample);
    if (waiting.length < size) continue;
    yield waiting;
    waiting = [];
  }
  if (waiting.length > 0) yield waiting;
}

/** Keeps the next item in the making while the last one is in use. */
export async function* ahead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    let next = source.next();
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = source.next();
      // Its failure is thrown at the next turn; until then it must not count as unhandled.
      next.catch(() => {});
      yield value;
    }
  } finally {
    // Waits for what is in the making.
    await source.return(undefined as never);
  }
}

/** Makes one batch of at most `runs.samples` samples. @throws DATA_* when samples do not fit together */
export function batchOf(samples: readonly Sample[], runs: Runs): Batch {
  const labels = samples.flatMap(({ label }) => label ?? []);
  if (labels.length !== 0 && labels.length !== samples.length) {
    throw dataErrors.labelMissing(samples.find(({ label }) => label === undefined)!.id);
  }
  return {
    ids: samples.map(({ id }) => id),
    inputs: feedsOf(samples, runs),
    labels: labels.length === 0 ? undefined : labels,
    size: samples.length,
    samples,
    sequence: samples[0]!.sequence,
  };
}

/** The inputs of one run. @throws DATA_BATCH_SHAPE */
export function feedsOf(samples: readonly Sample[], runs: Runs): Readonly<Record<string, TensorValue>> {
  const rows = filledUp(samples, runs);
  if (rows.length === 1) return rows[0]!.inputs;
  return Object.fromEntries(
    Object.entries(rows[0]!.inputs).map(([name, first]) => {
      const axis = runs.axes.get(name);
      return [name, axis === undefined ? first : concatenate(rows, name, axis)];
    }),
  );
}

/** The inputs of a run of one sample, as often as the model takes it. */
export function feedsOfOne(
  sample: Sample,
  inputs: readonly InputInfo[],
  side: InputHints,
): Readonly<Record<string, TensorValue>> {
  return feedsOf([sample], oneAtATime(planRuns(inputs, sample, 1, side)));
}

function concatenate(samples: readonly Sample[], name: string, axis: number): TensorValue {
  const first = samples[0]!.inputs[name]!;
  let rows = 0;
  for (const sample of samples) {
    const { dims } = sample.inputs[name]!;
    if (dims.length !== first.dims.length || first.dims.some((dim, i) => i !== axis && dim !== dims[i])) {
      throw dataErrors.unevenBatch(sample.id, name, dims, samples[0]!.id, first.dims);
    }
    rows += dims[axis]!;
  }
  const dims = first.dims.map((dim, i) => (i === axis ? rows : dim));
  const blocks = elementCount(first.dims.slice(0, axis));
  const data = new (first.data.constructor as new (length: number) => TypedArray)(elementCount(dims));
  const length = data.length / blocks;
  let at = 0;
  for (const sample of samples) {
    // All parts are of the input's type, which the checker has made sure of.
    const part = sample.inputs[name]!.data as Float32Array;
    const each = part.length / blocks;
    for (let block = 0; block < blocks; block++)
      (data as Float32Array).set(part.subarray(block * each, (block + 1) * each), block * length + at);
    at += each;
  }
  return { type: first.type, dims, data };
}
