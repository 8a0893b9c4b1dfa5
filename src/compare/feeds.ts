/**
 * How samples reach the two models: how many at once, filled up where the batch is fixed, and each model given exactly the inputs it
 * asks for.
 */
import { compareErrors } from '../errors/compare.ts';
import type { Session } from '../backends/session.ts';
import { planRuns, rowsOf, type Runs, type Side } from '../data/runs.ts';
import type { Dataset, InputInfo, Sample, Selection } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';

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
 * The runs of both models. A fixed batch decides; a free one takes `wanted`, or 16, or 1 when other dimensions are free as
 * well, since samples of different shape cannot share a batch.
 * @throws COMPARE_BATCH when the two models fix different batch dimensions
 */
export function runsOfBoth(float: NamedSession, quant: NamedSession, first: Sample, side: Side, wanted?: number): Runs {
  const uneven = float.session.inputs.some(({ name, dims }) =>
    dims.some((dim, axis) => axis !== (side.batchAxes?.get(name) ?? 0) && typeof dim !== 'number'),
  );
  const asked = wanted ?? (uneven ? 1 : usualBatch);
  const [one, other] = [float, quant].map(({ session }) => planRuns(session.inputs, first, asked, side)) as [
    Runs,
    Runs,
  ];
  const [rows, otherRows] = [rowsOf(one, 1), rowsOf(other, 1)];
  if (one.fixed && other.fixed && rows !== otherRows)
    throw compareErrors.batches(float.name, rows, quant.name, otherRows);
  if (one.fixed || other.fixed) return one.fixed ? one : other;
  return one.samples < other.samples ? one : other;
}

/** The inputs that the model asks for. @throws COMPARE_INPUTS when one is not among `inputs` */
export function feedsOf({ name, session }: NamedSession, inputs: Feeds): Feeds {
  const wanted = session.inputs.map((input: InputInfo) => input.name);
  const missing = wanted.filter((input) => !Object.hasOwn(inputs, input));
  if (missing.length > 0) throw compareErrors.inputs(name, missing, Object.keys(inputs));
  return Object.fromEntries(wanted.map((input) => [input, inputs[input]!]));
}
