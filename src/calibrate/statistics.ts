/**
 * The augmented graph: a copy of the model that returns one number per statistic instead of its outputs. Form and order of
 * the added nodes were measured: min/max then cost a few per cent of an inference.
 *
 * - After convolutions: GlobalMaxPool and GlobalAveragePool first, where they do. They run in onnxruntime's blocked layout of
 *   convolutions; a reduction of the whole tensor forces a copy out of it, and there is no GlobalMinPool. Elsewhere the plain
 *   reduction is up to twice as fast.
 * - Statistics of the last layer are appended first, because onnxruntime walks backwards from the leaves: each then runs right
 *   after its producer, while the tensor is in cache, and the tensor is freed at once.
 * - Everything is joined by one Concat: a second one would run all of its statistics after those of the first.
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { dataType, type DataTypeName } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { BatchStatistics, Statistic } from './observers/observer.ts';
import { activation, append, copyModel, setOutputs } from './probe.ts';

/** `nan` is a sum: NaN when any element is NaN; its value means nothing else. */
export type Column = Statistic | 'nan';

export interface Probe {
  readonly tensor: string;
  readonly type: DataTypeName;
  readonly dims: readonly number[];
  readonly columns: readonly Column[];
}

export interface StatisticsGraph {
  readonly model: Model;
  /** Name of the one output, float32. */
  readonly output: string;
  /** What each element of the output is. */
  readonly columns: readonly { readonly tensor: string; readonly column: Column }[];
}

const pools = { max: 'GlobalMaxPool', nan: 'GlobalAveragePool', min: undefined } as const;
const reductions = { max: 'ReduceMax', min: 'ReduceMin', nan: 'ReduceSum' } as const;

export function buildStatistics(model: Model, probes: readonly Probe[]): StatisticsGraph {
  const copy = copyModel(model);
  const { graph } = copy;
  // A reduction keeps the rank and a concatenation takes one rank: the commonest, to which the others are reshaped.
  const rank = commonest(probes.flatMap(({ columns, dims }) => columns.map(() => Math.max(1, dims.length))));
  const shape = graph.addInitializer(Tensor.of('statistics_shape', 'int64', [rank], new BigInt64Array(rank).fill(1n)));
  const columns: StatisticsGraph['columns'][number][] = [];
  const values: Value[] = [];
  for (const probe of lastLayerFirst(graph, probes)) {
    for (const column of probe.columns) {
      const value = reduce(graph, probe, column);
      values.push(probe.dims.length === rank ? value : append(graph, 'Reshape', [value, shape]));
      columns.push({ tensor: probe.tensor, column });
    }
  }
  const output = append(graph, 'Concat', values);
  output.producer!.setInt('axis', 0);
  setOutputs(graph, [output]);
  return { model: copy, output: output.name, columns };
}

function commonest(numbers: readonly number[]): number {
  const count = (wanted: number): number => numbers.filter((number) => number === wanted).length;
  return numbers.reduce((best, number) => (count(number) > count(best) ? number : best), numbers[0] ?? 1);
}

function lastLayerFirst(graph: Graph, probes: readonly Probe[]): Probe[] {
  const position = new Map([...graph.nodes()].map((node, index) => [node, index]));
  const depth = ({ tensor }: Probe): number => {
    const { producer } = activation(graph, tensor);
    return producer ? position.get(producer)! : -1;
  };
  return [...probes].sort((a, b) => depth(b) - depth(a));
}

/** One element, of the rank of the tensor. */
function reduce(graph: Graph, { tensor, type, dims, columns }: Probe, column: Column): Value {
  let value = activation(graph, tensor);
  if (type !== 'float32') {
    value = append(graph, 'Cast', [value]);
    value.producer!.setInt('to', dataType('float32').code);
  }
  // Where the minimum has forced the copy out of the blocked layout, the rest is quicker on the copy.
  const pool = columns.includes('min') || !isBlocked(value) ? undefined : pools[column];
  if (pool && dims.length === 4 && !dims.includes(0)) value = append(graph, pool, [value]);
  return append(graph, reductions[column], [value]);
}

/** Operators that take the blocked layout from their inputs. */
const keepsLayout = new Set([
  'Relu',
  'Clip',
  'Sigmoid',
  'Add',
  'Sum',
  'Mul',
  'Concat',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
]);

/** Whether the value lives in the blocked layout: it comes from a convolution, at most a few operators back. */
function isBlocked({ producer }: Value, reach = 3): boolean {
  if (!producer || producer.domain !== '') return false;
  if (producer.opType === 'Conv') return true;
  return (
    reach > 0 &&
    keepsLayout.has(producer.opType) &&
    producer.inputs.some((input) => input && isBlocked(input, reach - 1))
  );
}

export interface Suspect {
  readonly tensor: string;
  readonly value: number;
  /** False for a sum, which may overflow although every element is finite. */
  readonly certain: boolean;
}

/**
 * Turns the output of the graph into statistics by tensor; the arrays are reused at every call. `suspect` is a statistic
 * that is not finite, one that proves something is wrong if there is any.
 */
export function statisticsReader(
  { columns }: StatisticsGraph,
  tensors: readonly string[],
): (vector: Float32Array) => { values: BatchStatistics; suspect: Suspect | undefined } {
  const position = new Map(tensors.map((tensor, index) => [tensor, index]));
  const values = { min: new Float32Array(tensors.length), max: new Float32Array(tensors.length) };
  return (vector) => {
    let suspect: Suspect | undefined;
    values.min.fill(0);
    columns.forEach(({ tensor, column }, i) => {
      const value = vector[i]!;
      if (column !== 'nan') values[column][position.get(tensor)!] = value;
      else if (!Number.isFinite(value)) suspect ??= { tensor, value, certain: false };
    });
    for (let i = 0; i < tensors.length; i++) {
      const [min, max] = [values.min[i]!, values.max[i]!];
      const empty = max === -Infinity && min >= 0;
      if (empty) values.min[i] = Infinity;
      else if (!Number.isFinite(min - max) && !suspect?.certain)
        suspect = { tensor: tensors[i]!, value: min - max, certain: true };
    }
    return { values, suspect };
  };
}
