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
 * - Elements for histograms leave as outputs of their own, sampled in the graph (sample.ts). Their maximum goes into the Concat,
 *   which ties them, too, to the moment after their producer.
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import type { BatchStatistics, Statistic } from './observers/observer.ts';
import { lift, reductions } from './lift.ts';
import { sampleElements } from './sample.ts';
import { activationFinder, append, copyModel, outermostOwner, setOutputs } from './probe.ts';
import type { TracedTensor } from './shapes.ts';

/** `nan` is a sum: NaN when any element is NaN; its value means nothing else. `tie` means nothing, but fixes the order. */
export type Column = Statistic | 'nan' | 'tie';

export interface Probe {
  readonly tensor: string;
  /** Undefined inside a body, where a run cannot tell them: its branch may not be taken. */
  readonly traced: TracedTensor | undefined;
  readonly columns: readonly Column[];
  /** Once its range fills these, its extremes may be left out (saturation.ts). */
  readonly limits?: Interval | undefined;
  /** Which elements leave the graph. */
  readonly elements: 'none' | 'sampled' | 'all';
}

export interface StatisticsColumn {
  readonly tensor: string;
  readonly column: Column;
  /** Elements: 1 or, of a maximum, one per channel. */
  readonly length: number;
}

export interface StatisticsGraph {
  readonly model: Model;
  /** Name of the output with the statistics, float32. */
  readonly output: string;
  /** Names of the outputs with elements, float32, by tensor. */
  readonly elements: ReadonlyMap<string, string>;
  /** What the elements of the output are, one after the other. */
  readonly columns: readonly StatisticsColumn[];
}

const pools = { max: 'GlobalMaxPool', nan: 'GlobalAveragePool', min: undefined, tie: undefined } as const;
const reductionOf = { max: reductions.max, min: reductions.min, nan: reductions.sum, tie: reductions.max } as const;

/**
 * @param kept outputs of the model that the copy returns as well
 * @param byChannel runs are of one sample, and maxima of images leave the graph channel by channel
 */
export function buildStatistics(
  model: Model,
  probes: readonly Probe[],
  kept: readonly string[] = [],
  byChannel = false,
): StatisticsGraph {
  const copy = copyModel(model);
  const { graph } = copy;
  const find = activationFinder(copy);
  // A reduction keeps the rank and a concatenation takes one rank: the commonest, to which the others are reshaped.
  const rank = commonest(
    probes.flatMap(({ columns, traced }) => columns.map(() => Math.max(1, traced?.dims.length ?? 1))),
  );
  const shape = graph.addInitializer(Tensor.of('statistics_shape', 'int64', [rank], new BigInt64Array(rank).fill(1n)));
  const lengthwise = BigInt64Array.from({ length: rank }, (_, axis) => (axis === 0 ? -1n : 1n));
  const list = graph.addInitializer(Tensor.of('statistics_list', 'int64', [rank], lengthwise));
  const columns: StatisticsColumn[] = [];
  const values: Value[] = [];
  const elements: Value[] = [];
  const join = (value: Value, tensor: string, dims: readonly number[] | undefined, column: Column): void => {
    const shaped = dims?.length === rank ? value : append(value.graph, 'Reshape', [value, shape]);
    values.push(lift(shaped, reductionOf[column], shape));
    columns.push({ tensor, column, length: 1 });
  };
  /** The statistic of `source`, which holds the same values as the probe's tensor. */
  const take = (source: Value, probe: Probe, column: Column): void => {
    const { tensor, traced } = probe;
    // What may be left out later (saturation.ts) has no health: it would depend on when.
    if (!byChannel || column !== 'max' || probe.limits || !hasChannels(find(tensor), traced))
      return join(reduce(source, probe, column), tensor, traced?.dims, column);
    values.push(append(graph, 'Reshape', [channelMaxima(source, probe, model.opset), list]));
    columns.push({ tensor, column, length: traced!.dims[1]! });
  };
  const named = new Map<string, string>();
  for (const probe of lastLayerFirst(graph, probes, find)) {
    const tensor = find(probe.tensor);
    const { traced, columns: wanted } = probe;
    if (probe.elements === 'none' || tensor.graph !== graph || !traced) {
      for (const column of wanted) take(tensor, probe, column);
      continue;
    }
    const float32 = asFloat32(tensor, probe);
    const taken = sampleElements(float32, traced.dims, probe.elements === 'all');
    const whole = taken === float32;
    // What the model is fed or returns anyway cannot leave under its own name.
    const sample = taken.producer && !kept.includes(taken.name) ? taken : append(graph, 'Identity', [taken]);
    elements.push(sample);
    named.set(probe.tensor, sample.name);
    // What leaves whole is reduced in the layout in which it leaves, and tied by that.
    const [source, seen] = whole
      ? [sample, { ...probe, traced: { ...traced, type: 'float32' as const } }]
      : [tensor, probe];
    for (const column of wanted) take(source, seen, column);
    if (!whole || wanted.length === 0)
      join(append(graph, reductionOf.tie.op, [sample]), probe.tensor, undefined, 'tie');
  }
  const output = append(graph, 'Concat', values);
  output.producer!.setInt('axis', 0);
  const outputs = graph.outputs.filter(({ name }) => kept.includes(name));
  setOutputs(graph, [output, ...elements, ...outputs]);
  return { model: copy, output: output.name, elements: named, columns };
}

function commonest(numbers: readonly number[]): number {
  const count = (wanted: number): number => numbers.filter((number) => number === wanted).length;
  return numbers.reduce((best, number) => (count(number) > count(best) ? number : best), numbers[0] ?? 1);
}

function lastLayerFirst(graph: Graph, probes: readonly Probe[], find: (name: string) => Value): Probe[] {
  const position = new Map([...graph.nodes()].map((node, index) => [node, index]));
  const depth = ({ tensor }: Probe): number => {
    const value = find(tensor);
    const node = outermostOwner(value.graph) ?? value.producer;
    return node ? position.get(node)! : -1;
  };
  return [...probes].sort((a, b) => depth(b) - depth(a));
}

/** One element, of the rank of the tensor, in its graph. */
function reduce(tensor: Value, probe: Probe, column: Column): Value {
  const { graph } = tensor;
  const { traced, columns } = probe;
  let value = asFloat32(tensor, probe);
  // Where the minimum has forced the copy out of the blocked layout, the rest is quicker on the copy.
  const pool = columns.includes('min') || !isBlocked(value) ? undefined : pools[column];
  if (pool && traced?.dims.length === 4 && !traced.dims.includes(0)) value = append(graph, pool, [value]);
  return append(graph, reductionOf[column].op, [value]);
}

/** Whether the second dimension is one of channels: the images of convolutions have always the same number of them. */
function hasChannels(tensor: Value, traced: TracedTensor | undefined): boolean {
  return traced?.dims.length === 4 && traced.dims[0] === 1 && !traced.dims.includes(0) && isBlocked(tensor);
}

/** [1, C, 1, 1], whatever the number of images in a sample: no dearer than the maximum of the whole, of which it is the first half. */
function channelMaxima(tensor: Value, probe: Probe, opset: number): Value {
  const { graph } = tensor;
  const value = asFloat32(tensor, probe);
  const pooled = !probe.columns.includes('min') && isBlocked(value);
  const source = pooled ? append(graph, pools.max, [value]) : value;
  const axes = pooled ? [0] : [0, 2, 3];
  if (opset < 18) {
    const maxima = append(graph, reductionOf.max.op, [source]);
    maxima.producer!.setInts('axes', axes);
    return maxima;
  }
  const content = BigInt64Array.from(axes, BigInt);
  const given = graph.addInitializer(Tensor.of('statistics_axes', 'int64', [axes.length], content));
  return append(graph, reductionOf.max.op, [source, given]);
}

function asFloat32(tensor: Value, { traced }: Probe): Value {
  if (traced?.type === 'float32') return tensor;
  const cast = append(tensor.graph, 'Cast', [tensor]);
  cast.producer!.setInt('to', dataType('float32').code);
  return cast;
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
 * @param known extremes that are not computed
 */
export function statisticsReader(
  { columns }: StatisticsGraph,
  tensors: readonly string[],
  known: ReadonlyMap<string, Interval> = new Map(),
): (vector: Float32Array) => {
  values: BatchStatistics & Required<Pick<BatchStatistics, 'channels'>>;
  suspect: Suspect | undefined;
} {
  const position = new Map(tensors.map((tensor, index) => [tensor, index]));
  const channels: (Float32Array | undefined)[] = tensors.map(() => undefined);
  const values = { min: new Float32Array(tensors.length), max: new Float32Array(tensors.length), channels };
  return (vector) => {
    let suspect: Suspect | undefined;
    values.min.fill(0);
    for (const [tensor, { min, max }] of known) {
      values.min[position.get(tensor)!] = min;
      values.max[position.get(tensor)!] = max;
    }
    let at = 0;
    for (const { tensor, column, length } of columns) {
      const value = length === 1 ? vector[at]! : largest(vector, at, at + length);
      if (length > 1) channels[position.get(tensor)!] = vector.subarray(at, at + length);
      at += length;
      if (column === 'min' || column === 'max') values[column][position.get(tensor)!] = value;
      else if (column === 'nan' && !Number.isFinite(value)) suspect ??= { tensor, value, certain: false };
    }
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

/** NaN if one is. */
function largest(vector: Float32Array, begin: number, end: number): number {
  let most = -Infinity;
  for (let i = begin; i < end; i++) most = Math.max(most, vector[i]!);
  return most;
}
