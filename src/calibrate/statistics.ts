/**
 * The augmented graph: a copy of the model that returns one number per statistic instead of its outputs. Form and order of
 * the added nodes were measured: min/max then cost a few per cent of an inference.
 *
 * - After convolutions: GlobalMaxPool and GlobalAveragePool first, where they do. They run in onnxruntime's blocked layout of
 *   convolutions; a reduction of the whole tensor forces a copy out of it, and there is no GlobalMinPool. Elsewhere the plain
 *   reduction is up to twice as fast.
 * - Statistics of the last layer are appended first, because onnxruntime walks backwards from the leaves: each then runs right
 *   after its producer, while the tensor is in cache, and the tensor is freed at once.
 * - Everything is joined by one Concat: a second one would run all of its statistics after those of the first, unless the two
 *   share no layer.
 * - Elements for histograms, sampled in the graph (sample.ts), leave in one of two forms. In the rigid one they are joined by the
 *   same Concat, in parts of a few megabytes: one output costs far less than one per tensor. Where each list lies then follows
 *   from the shapes of the first sample, and a mark behind each proves it. In the loose form every tensor's elements are an output
 *   of their own, of any shape; their maximum goes into the Concat, which ties them, too, to the moment after their producer.
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import type { Statistic } from './observers/observer.ts';
import { lift, reductions } from './lift.ts';
import { sampleElements } from './sample.ts';
import { activationFinder, append, copyModel, outermostOwner, setOutputs } from './probe.ts';
import type { TracedTensor } from './shapes.ts';

/**
 * `nan` is a sum: NaN when any element is NaN; its value means nothing else. `tie` means nothing, but fixes the order. `elements`
 * are those of a rigid form, and `mark` the constant behind them.
 */
export type Column = Statistic | 'nan' | 'tie' | 'elements' | 'mark';

export interface Probe {
  readonly tensor: string;
  /** Undefined inside a body, where a run cannot tell them: its branch may not be taken. */
  readonly traced: TracedTensor | undefined;
  readonly columns: readonly (Statistic | 'nan')[];
  /** Once its range fills these, its extremes may be left out (saturation.ts). */
  readonly limits?: Interval | undefined;
  /** Which elements leave the graph. */
  readonly elements: 'none' | 'sampled' | 'all';
}

export interface StatisticsColumn {
  readonly tensor: string;
  readonly column: Column;
  /** Floats: 1 or, of a maximum, one per channel. */
  readonly length: number;
  /** Of elements: the rows of the batch axis they are from. */
  readonly rows?: number;
}

/** An output of joined columns, float32, one after the other. */
export interface StatisticsPart {
  readonly output: string;
  readonly columns: readonly StatisticsColumn[];
}

export interface StatisticsGraph {
  readonly model: Model;
  readonly parts: readonly StatisticsPart[];
  /** Names of the outputs with elements of a loose form, float32, by tensor. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface StatisticsForm {
  /** Outputs of the model that the copy returns as well. */
  readonly kept?: readonly string[];
  /** Runs are of one sample, and maxima of images leave the graph channel by channel. */
  readonly byChannel?: boolean;
  /** Every run has the shapes that were traced, or else the reader finds that its outputs do not fit. No traced dimension may be 0. */
  readonly rigid?: boolean;
}

/** Behind the elements of a tensor: found where the next column should begin, it says that no list has another length. */
export const mark = Math.fround(-1.2345678e-33);
/** Bytes after which a part ends. Much larger ones cost a page fault per page: the allocator gives them back each time. */
const partBytes = 4 << 20;

const pools = { max: 'GlobalMaxPool', nan: 'GlobalAveragePool', min: undefined, tie: undefined } as const;
const reductionOf = { max: reductions.max, min: reductions.min, nan: reductions.sum, tie: reductions.max } as const;
type Reduced = keyof typeof reductionOf;

export function buildStatistics(
  model: Model,
  probes: readonly Probe[],
  { kept = [], byChannel = false, rigid = false }: StatisticsForm = {},
): StatisticsGraph {
  const copy = copyModel(model);
  const { graph } = copy;
  const find = activationFinder(copy);
  // A reduction keeps the rank and a concatenation takes one rank: the commonest, to which the others are reshaped.
  const rank = commonest(
    probes.flatMap(({ columns, traced }) => columns.map(() => Math.max(1, traced?.dims.length ?? 1))),
  );
  const constant = (name: string, numbers: BigInt64Array): Value =>
    graph.addInitializer(Tensor.of(name, 'int64', [rank], numbers));
  const shape = constant('statistics_shape', new BigInt64Array(rank).fill(1n));
  const list = constant(
    'statistics_list',
    BigInt64Array.from({ length: rank }, (_, axis) => (axis === 0 ? -1n : 1n)),
  );
  const marked = graph.addInitializer(
    Tensor.of(
      'statistics_mark',
      'float32',
      Array.from({ length: rank }, () => 1),
      Float32Array.of(mark),
    ),
  );
  const joined = new Joined(graph);
  const elements: Value[] = [];
  const join = (value: Value, tensor: string, dims: readonly number[] | undefined, column: Reduced): void => {
    const shaped = dims?.length === rank ? value : append(value.graph, 'Reshape', [value, shape]);
    joined.push(lift(shaped, reductionOf[column], shape), { tensor, column, length: 1 });
  };
  /** The statistic of `source`, which holds the same values as the probe's tensor. */
  const take = (source: Value, probe: Probe, column: Reduced): void => {
    const { tensor, traced } = probe;
    // What may be left out later (saturation.ts) has no health: it would depend on when.
    if (!byChannel || column !== 'max' || probe.limits || !hasChannels(find(tensor), traced))
      return join(reduce(source, probe, column), tensor, traced?.dims, column);
    const maxima = append(graph, 'Reshape', [channelMaxima(source, probe, model.opset, rigid), list]);
    joined.push(maxima, { tensor, column, length: traced!.dims[1]! });
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
    const { value: taken, length } = sampleElements(float32, traced.dims, probe.elements === 'all');
    if (rigid) {
      for (const column of wanted) take(tensor, probe, column);
      const elementsColumn = { column: 'elements', length, rows: traced.dims[0] ?? 1 } as const;
      joined.push(append(graph, 'Reshape', [taken, list]), { tensor: probe.tensor, ...elementsColumn });
      joined.push(marked, { tensor: probe.tensor, column: 'mark', length: 1 });
      continue;
    }
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
  const parts = joined.parts();
  const outputs = graph.outputs.filter(({ name }) => kept.includes(name));
  setOutputs(graph, [...parts.map(({ output }) => graph.values.get(output)!), ...elements, ...outputs]);
  return { model: copy, parts, elements: named };
}

/** Columns on their way to the outputs that join them. */
class Joined {
  readonly #graph: Graph;
  readonly #parts: StatisticsPart[] = [];
  #values: Value[] = [];
  #columns: StatisticsColumn[] = [];
  #bytes = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  push(value: Value, column: StatisticsColumn): void {
    // A mark stays with its elements.
    if (this.#bytes >= partBytes && column.column !== 'mark') this.#end();
    this.#values.push(value);
    this.#columns.push(column);
    this.#bytes += Float32Array.BYTES_PER_ELEMENT * column.length;
  }

  parts(): StatisticsPart[] {
    this.#end();
    return this.#parts;
  }

  #end(): void {
    if (this.#values.length === 0) return;
    const output = append(this.#graph, 'Concat', this.#values);
    output.producer!.setInt('axis', 0);
    this.#parts.push({ output: output.name, columns: this.#columns });
    [this.#values, this.#columns, this.#bytes] = [[], [], 0];
  }
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
function reduce(tensor: Value, probe: Probe, column: Reduced): Value {
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

/**
 * [1, C, 1, 1] of the one image of a rigid form, else [1, C] or more ones, whatever the number of images: no dearer than the maximum
 * of the whole, of which it is the first half.
 */
function channelMaxima(tensor: Value, probe: Probe, opset: number, rigid: boolean): Value {
  const { graph } = tensor;
  const value = asFloat32(tensor, probe);
  const pooled = !probe.columns.includes('min') && isBlocked(value);
  const source = pooled ? append(graph, pools.max, [value]) : value;
  if (pooled && rigid) return source;
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
