/** How many samples the model takes at once, feeds made of a batch (whole, filled up, or one sample alone), and results of it. */
import { largestBatch } from '../data/batch.ts';
import type { Batch, InputInfo, Sample } from '../data/sample.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import type { Model } from '../graph/model.ts';
import type { Elements } from './statistics-reader.ts';
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';

export interface Batching {
  /** Samples per run. */
  readonly size: number;
  /** The model takes exactly this many: a short batch is filled up by repeating its last sample. */
  readonly fixed: boolean;
  readonly note: string | undefined;
}

/**
 * @param sample one of the samples to come, to see how many rows of the batch axis each has
 * @param asked samples per run, as wanted
 */
export function planBatches(model: Model, sample: Sample, asked: number): Batching {
  if (!Number.isSafeInteger(asked) || asked < 1) throw calibrateErrors.batchSize(asked);
  const inputs = model.feeds.map((value): InputInfo => ({
    name: value.name,
    type: value.type ?? 'float32',
    dims: value.dims ?? [],
  }));
  const limit = largestBatch(inputs);
  if (limit === Infinity) return { size: asked, fixed: false, note: undefined };
  if (limit > 1) {
    const name = inputs[0]!.name;
    const rows = sample.inputs[name]?.dims[0] ?? 1;
    if (limit % rows !== 0) throw calibrateErrors.unevenRows(sample.id, name, rows, limit);
    const size = limit / rows;
    return {
      size,
      fixed: size > 1,
      note: asked > 1 && size !== asked ? `the model takes exactly ${size} samples at a time` : undefined,
    };
  }
  return { size: 1, fixed: false, note: asked > 1 ? 'the model takes 1 sample at a time' : undefined };
}

/** The batch as the model takes it. */
export function feedsOf(batch: Batch, batching: Batching): Batch['inputs'] {
  if (!batching.fixed || batch.size === batching.size) return batch.inputs;
  return take(
    batch,
    Array.from({ length: batching.size }, (_, i) => Math.min(i, batch.size - 1)),
  );
}

/** Elements of the real samples alone; those of a tensor without a batch axis, which has them once for all, are all real. */
export function realElements({ rows, data }: Elements, { size }: Batch, batching: Batching): Float32Array {
  if (!batching.fixed || size === batching.size || rows % batching.size !== 0) return data;
  return data.subarray(0, (data.length / batching.size) * size);
}

/** One sample of the batch as the model takes it. */
export function sampleFeeds(batch: Batch, index: number, batching: Batching): Batch['inputs'] {
  if (batch.size === 1 && !batching.fixed) return batch.inputs;
  return take(
    batch,
    Array.from({ length: batching.fixed ? batching.size : 1 }, () => index),
  );
}

/** The samples at these positions, which may repeat, as one set of inputs. */
function take(batch: Batch, positions: readonly number[]): Batch['inputs'] {
  const entries = Object.entries(batch.inputs).map(([name, { type, dims, data }]): [string, TensorValue] => {
    const [rows = 1, ...rest] = dims;
    const rowsEach = rows / batch.size;
    const length = rowsEach * elementCount(rest);
    const taken = new (data.constructor as new (length: number) => TypedArray)(length * positions.length);
    positions.forEach((position, i) => {
      // Both arrays have the type of this input.
      taken.set(
        data.subarray(position * length, (position + 1) * length) as Float32Array & BigInt64Array & BigUint64Array,
        i * length,
      );
    });
    return [name, { type, dims: [rowsEach * positions.length, ...rest], data: taken }];
  });
  return Object.fromEntries(entries);
}
