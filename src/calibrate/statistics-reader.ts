/**
 * What the outputs of an augmented graph say, tensor by tensor: the vector of statistics, the elements, and the statistics of tensors that
 * left the graph whole, which their elements tell.
 */
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import { series } from './kernels/counter.ts';
import type { ElementMemory, BatchStatistics } from './observers/observer.ts';
import type { WholeTensor, ElementOutput, AugmentedGraph } from './augmented-graph.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** A statistic that is not finite. */
export interface SuspectStatistic {
  readonly tensor: string;
  readonly value: number;
  /** False for a sum, which may overflow although every element is finite. */
  readonly certain: boolean;
}

/** What one run tells. */
export interface Reading {
  readonly values: BatchStatistics & Required<Pick<BatchStatistics, 'channels'>>;
  /** A statistic that is not finite, one that proves something is wrong if there is any. */
  readonly suspect: SuspectStatistic | undefined;
  /** By tensor, where onnxruntime wrote them. */
  readonly elements: readonly (Elements | undefined)[];
}

/** Elements of one tensor in one run. */
export interface Elements {
  /** Of the batch axis; 1 without one. */
  readonly rows: number;
  /** For how many elements of the tensor each one stands. */
  readonly stride: number;
  readonly data: Float32Array;
}

/**
 * Turns what a run returned into statistics by tensor, but for the elements in arrays that are reused at every call.
 * @param memory reads the elements of whole tensors, wherever they are; best in itself
 * @param known extremes that are not computed
 */
export function statisticsReader(
  { output, columns, elements: outlets }: AugmentedGraph,
  tensors: readonly string[],
  memory: Memory,
  known: ReadonlyMap<string, Interval> = new Map(),
): (results: Tensors) => Reading {
  const position = new Map(tensors.map((tensor, index) => [tensor, index]));
  const outletOf = tensors.map((tensor) => outlets.get(tensor));
  const wholes = outletOf.map((each) => each?.whole && new TensorReader(each.whole, memory));
  const channels = wholes.map((whole) => whole?.channels);
  for (const { tensor, column, length } of columns)
    if (column === 'max' && length > 1) channels[position.get(tensor)!] = new Float32Array(length);
  const values = { min: new Float32Array(tensors.length), max: new Float32Array(tensors.length), channels };
  // What is not computed: the minimum of a tensor that has no negative elements, and what is known.
  const minima = new Float32Array(tensors.length);
  for (const [tensor, { min, max }] of known) {
    minima[position.get(tensor)!] = min;
    values.max[position.get(tensor)!] = max;
  }
  let floats = 0;
  const places = columns.map(({ tensor, column, length }) => {
    const at = floats;
    floats += length;
    return { name: tensor, tensor: position.get(tensor) ?? -1, column, at };
  });
  const strides = new Float64Array(tensors.length).fill(1);
  const read = (result: TensorValue, outlet: ElementOutput, i: number): Elements => {
    const { whole, stride = strides[i]! } = outlet;
    const rows = result.dims[0] ?? 1;
    const reader = wholes[i];
    if (!reader) return { rows, stride, data: result.data as Float32Array };
    const data = result.data as Float32Array;
    reader.read(result);
    // NaN whatever there is to report, but for a tensor without elements.
    const reported = whole!.negative || Number.isNaN(reader.min) || data.length === 0;
    values.min[i] = reported ? reader.min : 0;
    values.max[i] = reader.max;
    return { rows, stride, data };
  };
  // Plain loops: in most calibrations they run too seldom for V8 to compile them.
  return (results) => {
    let suspect: SuspectStatistic | undefined;
    values.min.set(minima);
    const vector = output === undefined ? new Float32Array() : (results[output]!.data as Float32Array);
    for (let i = 0; i < places.length; i++) {
      const { name, tensor, column, at } = places[i]!;
      if (column === 'min') values.min[tensor] = vector[at]!;
      else if (column === 'stride') strides[tensor] = vector[at]!;
      else if (column === 'max') values.max[tensor] = maximum(vector, at, channels[tensor]);
      // A sum that is infinite holds no NaN, whatever it holds.
      else if (column === 'nan' && Number.isNaN(vector[at]))
        suspect ??= { tensor: name, value: vector[at]!, certain: false };
    }
    const elements = outletOf.map((each, i) => each && read(results[each.output]!, each, i));
    for (let i = 0; i < tensors.length; i++) {
      const min = values.min[i]!;
      const max = values.max[i]!;
      if (max === -Infinity && min >= 0) values.min[i] = Infinity;
      else if (!Number.isFinite(min - max) && !suspect?.certain)
        suspect = { tensor: tensors[i]!, value: min - max, certain: true };
    }
    return { values, suspect, elements };
  };
}

/** The maximum of a column, NaN if one is. With channels, theirs are kept: the vector may lie in a memory that moves when it grows. */
function maximum(vector: Float32Array, at: number, channels: Float32Array | undefined): number {
  if (!channels) return vector[at]!;
  let most = -Infinity;
  for (let i = 0; i < channels.length; i++) {
    const value = vector[at + i]!;
    channels[i] = value;
    most = Math.max(most, value);
  }
  return most;
}

/** The statistics by name; without elements, and without ties, whose values mean nothing. */
export function statisticsByName({ output, columns }: AugmentedGraph, results: Tensors): Map<string, number> {
  const values = new Map<string, number>();
  const vector = output === undefined ? [] : results[output]!.data;
  let at = 0;
  for (const { tensor, column, length } of columns) {
    const wanted = column === 'tie' ? 0 : length;
    for (let i = 0; i < wanted; i++) values.set(`${column} ${i} ${tensor}`, Number(vector[at + i]));
    at += length;
  }
  return values;
}

/** A memory whose kernels find extremes. */
export type Memory = Pick<ElementMemory, 'extremes'>;

/**
 * Reads one tensor, run after run. What it finds stays in its fields, and numbers in variables of their own: objects and pairs would
 * be garbage, tens of thousands of them in every run.
 */
export class TensorReader {
  /** Of the last tensor, 0 for −0; NaN if there is one, Infinity and -Infinity without elements. */
  min = Infinity;
  max = -Infinity;
  /** The largest value of each channel, if they are told apart. */
  readonly channels: Float32Array | undefined;
  readonly #memory: Memory;

  constructor({ channels }: WholeTensor, memory: Memory) {
    this.#memory = memory;
    this.channels = channels === undefined ? undefined : new Float32Array(channels);
  }

  read({ dims, data }: TensorValue): void {
    const { channels } = this;
    // One list, or one for each channel of each image.
    const each = channels?.length ?? 1;
    const lists = channels ? (dims[0] ?? 1) * each : 1;
    channels?.fill(-Infinity);
    let min = Infinity;
    let max = -Infinity;
    const found = data.length > 0 ? this.#memory.extremes(data as Float32Array, lists) : (data as Float32Array);
    for (let list = 0, at = 0; at < found.length; list++, at += 2 * series) {
      const channel = list % each;
      for (let i = 0; i < series; i++) {
        const high = found[at + series + i]!;
        min = Math.min(min, found[at + i]!);
        max = Math.max(max, high);
        if (channels && high > channels[channel]!) channels[channel] = high + 0;
      }
    }
    this.min = min + 0;
    this.max = max + 0;
  }
}
