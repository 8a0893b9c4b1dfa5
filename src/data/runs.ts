/**
 * How samples become runs of a model, and which part of a run's results is whose. Every command that runs a model on samples asks here:
 * calibrate, compare, the proofs and training.
 *
 * How many samples share a run, along which axis of each input they are joined, and what fills it up where the model takes no fewer:
 *
 * - A free batch takes any number of samples.
 * - A fixed batch takes that many; a short last one is filled up with its last sample.
 * - Where an input that differs from sample to sample has no batch axis, or results cannot be told apart, samples run one by one, each as
 *   often as the batch is large: whatever is made of the run is then made of that sample alone.
 *
 * Which axis is the batch follows from the operators that read the input (ops/batch-axis.ts: steps come first in an LSTM). A batch that the
 * inputs leave open and a Reshape fixes is closed when the model is opened (pipeline/open-batch.ts). Which rows of a result belong to which
 * sample is seen in a run of one sample many times: the result repeats itself along that axis. Where it does not, as in a list of all
 * detections, the samples run one by one.
 */
import { elementCount, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import { batchAxisOf } from './model-inputs.ts';
import type { Dataset, InputInfo, Sample } from './sample.ts';

/** How samples share runs. */
export interface Runs {
  /** Samples that share a run. */
  readonly samples: number;
  /** How often each stands in it. */
  readonly copies: number;
  /** The model takes exactly samples × copies of them. */
  readonly fixed: boolean;
  /** The axis along which an input is joined, by name; the others are the same for all samples of a run. */
  readonly axes: ReadonlyMap<string, number>;
}

/** What the data says of the inputs of a model. */
export type InputHints = Pick<Dataset, 'constants' | 'batchAxes'>;

/**
 * Decides how samples share runs.
 * @param sample one of the samples to come, to see how many rows of the batch axis each has
 * @param asked samples per run where the batch is free
 * @throws DATA_ROWS when the inputs' fixed batches do not go together
 */
export function planRuns(
  inputs: readonly InputInfo[],
  sample: Sample,
  asked = 1,
  { constants = [], batchAxes }: InputHints = {},
): Runs {
  const axisOf = (input: InputInfo): number => batchAxes?.get(input.name) ?? batchAxisOf(input);
  const open: InputInfo[] = [];
  const short: { readonly input: InputInfo; readonly rows: number; readonly times: number }[] = [];
  const whole: InputInfo[] = [];
  for (const input of inputs) {
    const tensor = sample.inputs[input.name];
    // Another model's, or fed by the program itself.
    if (!tensor) continue;
    const declared = input.dims[axisOf(input)];
    const rows = tensor.dims[axisOf(input)];
    if (rows === undefined || declared === undefined || rows === declared) whole.push(input);
    else if (typeof declared !== 'number') open.push(input);
    else if (declared % rows !== 0) throw dataErrors.unevenRows(sample.id, input, rows);
    else short.push({ input, rows, times: declared / rows });
  }
  const axes = new Map([...open, ...short.map(({ input }) => input)].map((input) => [input.name, axisOf(input)]));
  const [first, ...others] = short;
  if (!first) {
    if (whole.length === 0 && open.length > 0) return { samples: asked, copies: 1, fixed: false, axes };
    return { samples: 1, copies: 1, fixed: false, axes: new Map() };
  }
  const { times } = first;
  const odd = others.find((other) => other.times !== times);
  if (odd) throw dataErrors.unevenInputs(sample.id, first, odd);
  const runs = { samples: times, copies: 1, fixed: true, axes };
  return whole.every(({ name }) => constants.includes(name)) ? runs : oneAtATime(runs);
}

/** The same with one sample in a run; of a fixed batch, as often as it is large. */
export function oneAtATime({ samples, copies, fixed, axes }: Runs): Runs {
  return { samples: 1, copies: fixed ? samples * copies : 1, fixed, axes };
}

/** How many samples, real or repeated, a run of `size` real ones has. */
export function rowsOf({ samples, copies, fixed }: Runs, size: number): number {
  return fixed ? samples * copies : size;
}

/** The samples of a run with those that fill it up, in their order. */
export function filledUp(samples: readonly Sample[], { samples: size, copies, fixed }: Runs): readonly Sample[] {
  if (!fixed) return samples;
  const last = samples.at(-1)!;
  return Array.from({ length: size * copies }, (_, i) => samples[Math.floor(i / copies)] ?? last);
}

type Numbers = TypedArray | readonly number[];

interface Result {
  readonly dims: readonly number[];
  readonly data: Numbers;
}

/** Part of the largest magnitude by which equal rows may differ: kernels compute the last rows of a tensor in another way than the rest. */
const tolerance = 1e-4;

/**
 * The first axis along which the result of `rows` equal samples repeats itself that often: there the samples lie side by side.
 * Undefined where it does not: a list of all detections, say.
 */
export function repeatedAxis({ dims, data }: Result, rows: number): number | undefined {
  const axis = dims.findIndex((dim, i) => dim > 0 && dim % rows === 0 && repeats(data, dims, i, rows));
  return axis < 0 ? undefined : axis;
}

/** The results of the first `samples` of `rows`, these being the first axis. */
export function realRows<T extends Exclude<Numbers, readonly number[]>>(
  { dims, data }: { readonly dims: readonly number[]; readonly data: T },
  axis: number,
  rows: number,
  samples: number,
): { dims: readonly number[]; data: T } {
  const count = (dims[axis]! / rows) * samples;
  const rest = dims.filter((_, i) => i !== axis);
  if (axis === 0) return { dims: [count, ...rest], data: data.subarray(0, (data.length / rows) * samples) as T };
  const [blocks, inner] = [elementCount(dims.slice(0, axis)), elementCount(dims.slice(axis + 1))];
  const result = new (data.constructor as new (length: number) => T)(blocks * count * inner);
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < count; row++) {
      const from = (block * dims[axis]! + row) * inner;
      result.set(data.subarray(from, from + inner) as never, (row * blocks + block) * inner);
    }
  }
  return { dims: [count, ...rest], data: result };
}

function repeats(data: Numbers, dims: readonly number[], axis: number, rows: number): boolean {
  const blocks = elementCount(dims.slice(0, axis));
  const length = data.length / blocks;
  const each = length / rows;
  const near = nearness(data);
  for (let block = 0; block < blocks; block++) {
    for (let i = each; i < length; i++) {
      const at = block * length;
      if (!near(data[at + i]!, data[at + (i % each)]!)) return false;
    }
  }
  return true;
}

function nearness(data: Numbers): (a: number | bigint, b: number | bigint) => boolean {
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) return (a, b) => a === b;
  let most = 0;
  for (const value of data) if (Math.abs(value) > most && value - value === 0) most = Math.abs(value);
  const bound = most * tolerance;
  return (a, b) => Object.is(a, b) || a === b || Math.abs(Number(a) - Number(b)) <= bound;
}
