/**
 * How samples reach the two models: how many at once, a short last group filled up where the batch dimension is fixed, and
 * each model given exactly the inputs it asks for.
 */
import { compareErrors } from '../errors/compare.ts';
import type { Session } from '../backends/session.ts';
import { largestBatch } from '../data/batch.ts';
import type { Batch, Dataset, InputInfo, Sample, Selection } from '../data/sample.ts';
import type { TensorValue, TypedArray } from '../onnx/data-types.ts';

/** A session and how messages call its model. */
export interface NamedSession {
  readonly name: string;
  readonly session: Session;
}

export type Feeds = Readonly<Record<string, TensorValue>>;

/** Enough to keep onnxruntime's kernels busy, little enough for large images. */
const usualBatch = 16;

/** @throws COMPARE_NO_SAMPLES */
export async function firstSample(dataset: Dataset, selection: Selection): Promise<Sample> {
  for await (const sample of dataset.samples(selection)) return sample;
  throw compareErrors.noSamples(dataset.source);
}

/**
 * Samples per run. A fixed batch dimension decides; a free one takes `wanted`, or 16, or 1 when other dimensions are free as
 * well, since samples of different shape cannot share a batch.
 * @throws COMPARE_BATCH when the two models fix different batch dimensions
 */
export function samplesPerRun(
  float: NamedSession,
  quant: NamedSession,
  first: Sample,
  wanted?: number,
): { readonly size: number; readonly fixed: boolean } {
  const [floatLimit, quantLimit] = [float, quant].map(({ session }) => largestBatch(session.inputs)) as [
    number,
    number,
  ];
  const limit = Math.min(floatLimit, quantLimit);
  if (limit !== Infinity && Math.max(floatLimit, quantLimit) !== Infinity && floatLimit !== quantLimit) {
    throw compareErrors.batches(float.name, floatLimit, quant.name, quantLimit);
  }
  if (limit === Infinity) {
    const uneven = float.session.inputs.some(({ dims }) => dims.slice(1).some((dim) => typeof dim !== 'number'));
    return { size: wanted ?? (uneven ? 1 : usualBatch), fixed: false };
  }
  // A sample that already has the fixed size is a run of its own.
  const rows = Math.max(1, ...Object.values(first.inputs).map(({ dims }) => dims[0] ?? 1));
  return { size: Math.max(1, Math.floor(limit / rows)), fixed: true };
}

/** The inputs of a batch, its last sample repeated until there are `size`. */
export function filled(batch: Batch, size: number): Feeds {
  if (batch.size >= size) return batch.inputs;
  return Object.fromEntries(
    Object.entries(batch.inputs).map(([name, { type, dims, data }]) => {
      const block = data.length / batch.size;
      const whole = new (data.constructor as new (length: number) => TypedArray)(block * size) as Float32Array;
      whole.set(data as Float32Array);
      for (let i = batch.size; i < size; i++) whole.copyWithin(i * block, (batch.size - 1) * block, batch.size * block);
      return [name, { type, dims: [(dims[0]! / batch.size) * size, ...dims.slice(1)], data: whole }];
    }),
  );
}

/** The inputs that the model asks for. @throws COMPARE_INPUTS when one is not among `inputs` */
export function feedsOf({ name, session }: NamedSession, inputs: Feeds): Feeds {
  const wanted = session.inputs.map((input: InputInfo) => input.name);
  const missing = wanted.filter((input) => !Object.hasOwn(inputs, input));
  if (missing.length > 0) throw compareErrors.inputs(name, missing, Object.keys(inputs));
  return Object.fromEntries(wanted.map((input) => [input, inputs[input]!]));
}
