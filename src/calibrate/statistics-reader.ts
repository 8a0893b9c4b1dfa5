/** What the outputs of an augmented graph say, tensor by tensor. */
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import type { BatchStatistics } from './observers/observer.ts';
import type { StatisticsGraph } from './statistics.ts';
import { WholeReader, type Memory } from './whole.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface Suspect {
  readonly tensor: string;
  readonly value: number;
  /** False for a sum, which may overflow although every element is finite. */
  readonly certain: boolean;
}

export interface Reading {
  readonly values: BatchStatistics & Required<Pick<BatchStatistics, 'channels'>>;
  /** A statistic that is not finite, one that proves something is wrong if there is any. */
  readonly suspect: Suspect | undefined;
  /** By tensor, where onnxruntime wrote them. */
  readonly elements: readonly (Elements | undefined)[];
}

export interface Elements {
  /** Of the batch axis; 1 without one. */
  readonly rows: number;
  readonly data: Float32Array;
}

/**
 * Turns what a run returned into statistics by tensor, but for the elements in arrays that are reused at every call.
 * @param memory reads the elements of whole tensors, wherever they are; best in itself
 * @param known extremes that are not computed
 */
export function statisticsReader(
  { output, columns, elements: outlets }: StatisticsGraph,
  tensors: readonly string[],
  memory: Memory,
  known: ReadonlyMap<string, Interval> = new Map(),
): (results: Tensors) => Reading {
  const position = new Map(tensors.map((tensor, index) => [tensor, index]));
  const outlet = tensors.map((tensor) => outlets.get(tensor));
  const wholes = outlet.map((each) => each?.whole && new WholeReader(each.whole, memory));
  const channels = wholes.map((whole) => whole?.channels);
  for (const { tensor, column, length } of columns)
    if (column === 'max' && length > 1) channels[position.get(tensor)!] = new Float32Array(length);
  const values = { min: new Float32Array(tensors.length), max: new Float32Array(tensors.length), channels };
  return (results) => {
    let suspect: Suspect | undefined;
    values.min.fill(0);
    for (const [tensor, { min, max }] of known) {
      values.min[position.get(tensor)!] = min;
      values.max[position.get(tensor)!] = max;
    }
    let at = 0;
    const vector = output === undefined ? new Float32Array() : (results[output]!.data as Float32Array);
    for (const { tensor: name, column, length } of columns) {
      const tensor = position.get(name) ?? -1;
      if (column === 'min') values.min[tensor] = vector[at]!;
      else if (column === 'max') values.max[tensor] = maximum(vector, at, channels[tensor]);
      else if (column === 'nan' && !Number.isFinite(vector[at]))
        suspect ??= { tensor: name, value: vector[at]!, certain: false };
      at += length;
    }
    const elements = outlet.map((each, i): Elements | undefined => {
      if (!each) return undefined;
      const result = results[each.output]!;
      const rows = result.dims[0] ?? 1;
      const whole = wholes[i];
      if (!whole) return { rows, data: result.data as Float32Array };
      const data = whole.read(result);
      // NaN whatever there is to report, but for a tensor without elements.
      const reported = each.whole!.negative || Number.isNaN(whole.min) || data.length === 0;
      values.min[i] = reported ? whole.min : 0;
      values.max[i] = whole.max;
      return { rows, data };
    });
    for (let i = 0; i < tensors.length; i++) {
      const [min, max] = [values.min[i]!, values.max[i]!];
      const empty = max === -Infinity && min >= 0;
      if (empty) values.min[i] = Infinity;
      else if (!Number.isFinite(min - max) && !suspect?.certain)
        suspect = { tensor: tensors[i]!, value: min - max, certain: true };
    }
    return { values, suspect, elements };
  };
}

/** NaN if one is. With channels, theirs are kept: the vector may lie in a memory that moves when it grows. */
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

/** By name; without elements, and without ties, whose values mean nothing. */
export function statisticsByName({ output, columns }: StatisticsGraph, results: Tensors): Map<string, number> {
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
