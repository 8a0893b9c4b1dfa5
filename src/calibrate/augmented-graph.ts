/**
 * The augmented graph: a copy of the model that returns one small vector of statistics instead of its outputs, and for histograms the
 * elements of its tensors. Statistics are computed inside the graph, each right after the producer of its tensor: that costs little more
 * than plain inference, and memory does not grow with the number of samples. Form and order of the added nodes were measured; min and max
 * then cost a few per cent of an inference.
 *
 * - Reductions are pools after convolutions (reductions.ts), and are lifted out of the bodies of If, Loop and Scan.
 * - Statistics of the last layer are appended first, because onnxruntime walks backwards from the leaves: each then runs right after its
 *   producer, while the tensor is in cache, and the tensor is freed at once.
 * - Everything is joined by one Concat: a second one would run all of its statistics after those of the first, unless the two share no
 *   layer.
 * - The elements of each tensor are an output of their own, written where they are read (backends/output-memory.ts). Of a sample of them
 *   (element-sampler.ts) the maximum goes into the Concat, which ties it, too, to the moment after its producer. With `--exact` a tensor
 *   leaves whole and has no statistics in the graph: its elements tell them (statistics-reader.ts).
 * - onnxruntime's reductions lose NaN; a sum wherever NaN could stop shows it (nan-flow.ts), and diagnose.ts then names the tensor, the
 *   node and the sample.
 */
import { appendEndMark } from '../backends/output-memory.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import type { Statistic } from './observers/observer.ts';
import { CountedElements } from './counted-elements.ts';
import {
  asFloat32,
  cast,
  channelMaxima,
  channelsOf,
  isPooled,
  lift,
  reduce,
  reductionOf,
  type Reduced,
} from './reductions.ts';
import { Sampler, type Shapes } from './element-sampler.ts';
import { activationFinder, append, outermostOwner, setOutputs } from './graph-outputs.ts';
import type { TracedTensor } from './shapes.ts';

/**
 * What one column of the vector holds. `nan` is a sum: NaN when any element is NaN; its value means nothing else. `tie` means nothing, but
 * fixes the order. `stride`: for how many elements each of the sample stands.
 */
export type Column = Statistic | 'nan' | 'tie' | 'stride';

/** What is to be computed of one tensor. */
export interface Probe {
  readonly tensor: string;
  /** Undefined inside a body, where a run cannot tell them: its branch may not be taken. */
  readonly traced: TracedTensor | undefined;
  readonly columns: readonly (Statistic | 'nan')[];
  /** Once its range fills these, its extremes may be left out (statistics-run.ts). */
  readonly limits?: Interval | undefined;
  /** Which elements leave the graph. */
  readonly elements: 'none' | 'sampled' | 'all';
}

/** A part of the vector. */
export interface StatisticsColumn {
  readonly tensor: string;
  readonly column: Column;
  /** Floats: 1 or, of a maximum, one per channel. */
  readonly length: number;
}

/** An output with elements of a tensor, float32. */
export interface ElementOutput {
  readonly output: string;
  /** For how many elements each one stands; undefined where a column tells. */
  readonly stride: number | undefined;
  /** All elements, whose statistics are not in the graph. */
  readonly whole?: WholeTensor;
}

/** What the elements of a whole tensor have to tell. */
export interface WholeTensor {
  /** Whether it can have negative elements. */
  readonly negative: boolean;
  /** How many channels have maxima of their own, if they have. */
  readonly channels?: number | undefined;
}

/** The augmented graph, and how its outputs are read. */
export interface AugmentedGraph {
  readonly model: Model;
  /** The output of all columns, float32, one after the other; undefined when there are none. */
  readonly output: string | undefined;
  readonly columns: readonly StatisticsColumn[];
  /** By tensor. */
  readonly elements: ReadonlyMap<string, ElementOutput>;
  /** The input that says where samples of elements begin (element-positions.ts), if there is one. */
  readonly phase?: string | undefined;
}

/** How the graph is to be augmented. */
export interface AugmentOptions extends Partial<Shapes> {
  /** Outputs of the model that the copy returns as well. */
  readonly kept?: readonly string[];
  /** Runs are of one sample, and maxima of images leave the graph channel by channel. */
  readonly byChannel?: boolean;
}

/** Augments a copy of the model. */
export function augmentGraph(
  model: Model,
  probes: readonly Probe[],
  { kept = [], byChannel = false, samples = 1, open = false }: AugmentOptions = {},
): AugmentedGraph {
  const copy = copyModel(model);
  const { graph } = copy;
  const find = activationFinder(copy);
  const counted = new CountedElements(copy);
  // A reduction keeps the rank and a concatenation takes one rank: the commonest, to which the others are reshaped. Channels are
  // its second axis, so that maxima of images are joined as they are.
  const rank = commonest(
    probes.flatMap(({ columns, traced }) => columns.map(() => Math.max(1, traced?.dims.length ?? 1))),
  );
  const constant = (name: string, numbers: BigInt64Array): Value =>
    graph.addInitializer(Tensor.of(name, 'int64', [rank], numbers));
  const axis = Math.min(1, rank - 1);
  const shape = constant('statistics_shape', new BigInt64Array(rank).fill(1n));
  const list = constant(
    'statistics_list',
    BigInt64Array.from({ length: rank }, (_, i) => (i === axis ? -1n : 1n)),
  );
  const joined: Value[] = [];
  const columns: StatisticsColumn[] = [];
  const join = (value: Value, column: StatisticsColumn): void => {
    joined.push(value);
    columns.push(column);
  };
  const joinOne = (value: Value, tensor: string, dims: readonly number[] | undefined, column: Reduced): void => {
    const shaped = dims?.length === rank ? value : append(value.graph, 'Reshape', [value, shape]);
    join(lift(shaped, reductionOf[column], shape), { tensor, column, length: 1 });
  };
  const sampler = new Sampler(graph, model.opset, { samples, open });
  const elements = new Map<string, ElementOutput>();
  for (const asked of lastLayerFirst(graph, probes, find)) {
    const { tensor: name, traced, columns: wanted } = asked;
    const found = find(name);
    const tensor = wanted.some((column) => column !== 'nan') ? counted.of(found, asFloat32(found, asked)) : found;
    const probe = tensor === found ? asked : { ...asked, traced: traced && { ...traced, type: 'float32' as const } };
    const leaves = probe.elements !== 'none' && tensor.graph === graph && traced;
    const value = leaves ? asFloat32(tensor, probe) : tensor;
    const whole = probe.elements === 'all';
    const taken = leaves && (whole ? { value, stride: 1 } : sampler.take(value, traced.dims, isPooled(value, probe)));
    const channels = byChannel ? channelsOf(tensor, probe) : undefined;
    if (taken) {
      // What the model is fed or returns anyway cannot leave under its own name.
      const own = taken.value.producer && !kept.includes(taken.value.name);
      const output = own ? taken.value.name : append(graph, 'Identity', [taken.value]).name;
      const stride = typeof taken.stride === 'number' ? taken.stride : undefined;
      elements.set(name, { output, stride, ...(whole && { whole: { negative: wanted.includes('min'), channels } }) });
      if (whole) continue;
      if (typeof taken.stride !== 'number')
        join(append(graph, 'Reshape', [cast(taken.stride), shape]), { tensor: name, column: 'stride', length: 1 });
    }
    for (const column of wanted) {
      if (column !== 'max' || channels === undefined)
        joinOne(
          column === 'nan' ? reduce(found, asked, column) : reduce(tensor, probe, column),
          name,
          traced?.dims,
          column,
        );
      else {
        const maxima = channelMaxima(tensor, probe, model.opset);
        const shaped = rank === 4 ? maxima : append(graph, 'Reshape', [maxima, list]);
        join(shaped, { tensor: name, column, length: channels });
      }
    }
    if (taken) joinOne(append(graph, reductionOf.tie.op, [taken.value]), name, undefined, 'tie');
  }
  const all = joined.length > 0 ? append(graph, 'Concat', joined) : undefined;
  all?.producer!.setInt('axis', axis);
  const mark = elements.size > 0 ? appendEndMark(copy) : undefined;
  const outlets = Array.from(elements.values(), ({ output }) => graph.values.get(output)!);
  const outputs = graph.outputs.filter(({ name }) => kept.includes(name));
  setOutputs(graph, [...(mark ? [mark] : []), ...(all ? [all] : []), ...outlets, ...outputs]);
  return { model: copy, output: all?.name, columns, elements, phase: sampler.phase };
}

/** The most frequent number, the first of several. */
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
