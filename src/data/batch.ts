/** Samples → batches: concatenated along axis 0, the next batch being read while the last one is in use. */
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import { fits } from './check.ts';
import type { Batch, Dataset, InputInfo, Sample, Selection } from './sample.ts';

/**
 * Batches of `batchSize` samples in the order of the selection; the last may be short. With `inputs`, a batch that the
 * model's fixed dimensions refuse (a batch of 4 for an export with batch 1) is an error that says so.
 */
export async function* batches(
  dataset: Dataset,
  selection: Selection,
  batchSize: number,
  inputs: readonly InputInfo[] = [],
): AsyncGenerator<Batch> {
  const source = gather(dataset.samples(selection), batchSize, inputs);
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
    await source.return(undefined);
  }
}

/**
 * The largest number of samples the model takes at once: 1 when an input has no batch axis or fixes it to 1, the fixed
 * size when all inputs agree on one, Infinity when every batch axis is free.
 */
export function largestBatch(inputs: readonly InputInfo[]): number {
  const sizes = new Set(
    inputs.map(({ dims }) => (dims.length === 0 ? 1 : typeof dims[0] === 'number' ? dims[0] : Infinity)),
  );
  return sizes.size === 1 ? [...sizes][0]! : 1;
}

async function* gather(
  samples: AsyncIterable<Sample>,
  batchSize: number,
  inputs: readonly InputInfo[],
): AsyncGenerator<Batch, undefined> {
  let waiting: Sample[] = [];
  for await (const sample of samples) {
    waiting.push(sample);
    if (waiting.length < batchSize) continue;
    yield join(waiting, inputs);
    waiting = [];
  }
  if (waiting.length > 0) yield join(waiting, inputs);
  return undefined;
}

/** One batch. @throws DATA_* when samples do not fit together, or not what the model fixes */
export function join(samples: readonly Sample[], inputs: readonly InputInfo[]): Batch {
  const names = Object.keys(samples[0]!.inputs);
  const joined = Object.fromEntries(names.map((name) => [name, concatenate(samples, name)]));
  for (const input of inputs) {
    const { dims } = joined[input.name]!;
    const exact = typeof input.dims[0] !== 'number' || dims[0] === input.dims[0];
    if (!exact || !fits(dims, input)) throw dataErrors.wrongBatch(input, dims, samples.length);
  }
  const labels = samples.flatMap(({ label }) => label ?? []);
  if (labels.length !== 0 && labels.length !== samples.length) {
    throw dataErrors.labelMissing(samples.find(({ label }) => label === undefined)!.id);
  }
  return {
    ids: samples.map(({ id }) => id),
    inputs: joined,
    labels: labels.length === 0 ? undefined : labels,
    size: samples.length,
    sequence: samples[0]!.sequence,
  };
}

function concatenate(samples: readonly Sample[], name: string): TensorValue {
  const first = samples[0]!.inputs[name]!;
  if (samples.length === 1) return first;
  if (first.dims.length === 0) throw dataErrors.noBatchAxis(name);
  const [, ...rest] = first.dims;
  let rows = 0;
  for (const sample of samples) {
    const { dims } = sample.inputs[name]!;
    if (dims.length !== first.dims.length || rest.some((dim, axis) => dim !== dims[axis + 1])) {
      throw dataErrors.unevenBatch(sample.id, name, dims, samples[0]!.id, first.dims);
    }
    rows += dims[0]!;
  }
  const dims = [rows, ...rest];
  const data = new (first.data.constructor as new (length: number) => TypedArray)(elementCount(dims));
  let at = 0;
  for (const sample of samples) {
    const part = sample.inputs[name]!.data;
    // All parts are of the input's type, which the checker has made sure of.
    (data as Float32Array).set(part as Float32Array, at);
    at += part.length;
  }
  return { type: first.type, dims, data };
}
