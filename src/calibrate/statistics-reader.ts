/** What the outputs of an augmented graph say, tensor by tensor. */
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import type { BatchStatistics } from './observers/observer.ts';
import { mark, type StatisticsColumn, type StatisticsGraph } from './statistics.ts';

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

interface Place {
  readonly column: StatisticsColumn;
  /** Of the tensor among all. */
  readonly tensor: number;
  /** Where it begins in its part. */
  readonly at: number;
}

/**
 * Turns what a run returned into statistics by tensor, but for the elements in arrays that are reused at every call. Undefined
 * when the lists of a rigid form have not the lengths that were expected.
 * @param known extremes that are not computed
 */
export function statisticsReader(
  { parts, elements: outputs }: StatisticsGraph,
  tensors: readonly string[],
  known: ReadonlyMap<string, Interval> = new Map(),
): (results: Tensors) => Reading | undefined {
  const position = new Map(tensors.map((tensor, index) => [tensor, index]));
  const layout = parts.map(({ output, columns }) => ({ output, ...placesOf(columns, position) }));
  const marks = layout.map(({ places }) => places.filter(({ column }) => column.column === 'mark'));
  const channels: (Float32Array | undefined)[] = tensors.map(() => undefined);
  for (const { places } of layout) {
    for (const { column, tensor } of places)
      if (column.column === 'max' && column.length > 1) channels[tensor] = new Float32Array(column.length);
  }
  const values = { min: new Float32Array(tensors.length), max: new Float32Array(tensors.length), channels };
  return (results) => {
    const vectors = layout.map(({ output }) => results[output]!.data as Float32Array);
    const fits = layout.every(
      ({ length }, part) =>
        vectors[part]!.length === length && marks[part]!.every(({ at }) => vectors[part]![at] === mark),
    );
    if (!fits) return undefined;
    const elements = tensors.map((tensor) => loose(results[outputs.get(tensor) ?? '']));
    let suspect: Suspect | undefined;
    values.min.fill(0);
    for (const [tensor, { min, max }] of known) {
      values.min[position.get(tensor)!] = min;
      values.max[position.get(tensor)!] = max;
    }
    for (const [part, { places }] of layout.entries()) {
      const vector = vectors[part]!;
      for (const {
        column: { tensor: name, column, length, rows = 1 },
        tensor,
        at,
      } of places) {
        if (column === 'elements') elements[tensor] = { rows, data: vector.subarray(at, at + length) };
        else if (column === 'min') values.min[tensor] = vector[at]!;
        else if (column === 'max') values.max[tensor] = maximum(vector, at, channels[tensor]);
        else if (column === 'nan' && !Number.isFinite(vector[at]))
          suspect ??= { tensor: name, value: vector[at]!, certain: false };
      }
    }
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

function loose(output: TensorValue | undefined): Elements | undefined {
  return output && { rows: output.dims[0] ?? 1, data: output.data as Float32Array };
}

function placesOf(
  columns: readonly StatisticsColumn[],
  position: ReadonlyMap<string, number>,
): { readonly places: readonly Place[]; readonly length: number } {
  const places: Place[] = [];
  let length = 0;
  for (const column of columns) {
    places.push({ column, tensor: position.get(column.tensor) ?? -1, at: length });
    length += column.length;
  }
  return { places, length };
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
export function statisticsByName({ parts }: StatisticsGraph, results: Tensors): Map<string, number> {
  const values = new Map<string, number>();
  for (const { output, columns } of parts) {
    const vector = results[output]!.data;
    let at = 0;
    for (const { tensor, column, length } of columns) {
      const wanted = column === 'min' || column === 'max' || column === 'nan' ? length : 0;
      for (let i = 0; i < wanted; i++) values.set(`${column} ${i} ${tensor}`, Number(vector[at + i]));
      at += length;
    }
  }
  return values;
}
