/**
 * Reductions of single tensors to statistics, as nodes of the graph.
 *
 * - After convolutions: GlobalMaxPool and GlobalAveragePool first, where they do. They run in onnxruntime's blocked layout of
 *   convolutions (NCHWc); a reduction of the whole tensor forces a copy out of it, and there is no GlobalMinPool. Elsewhere the plain
 *   reduction is up to twice as fast.
 * - Statistics of tensors inside bodies are brought out to the main graph through the outputs of the nodes that own the bodies. An
 *   If gives the same outputs whichever branch runs, so the other branch gives the neutral element of the reduction. Loop and
 *   Scan stack one result per iteration, which are then reduced to one: no iteration gives the neutral element, too.
 */
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Column, Probe } from './augmented-graph.ts';
import { append, appendReduction } from './graph-outputs.ts';

/** Reductions and their neutral elements. */
export const reductions = {
  min: { op: 'ReduceMin', neutral: Infinity },
  max: { op: 'ReduceMax', neutral: -Infinity },
  sum: { op: 'ReduceSum', neutral: 0 },
} as const;

/** One of them. */
export type Reduction = (typeof reductions)[keyof typeof reductions];

/**
 * Brings a result out of the bodies that it stands in.
 * @param value float32, one element, of shape [1, …]; its graph may be the main graph
 * @param shape that shape, as a constant of the main graph
 * @returns the same in the main graph
 */
export function lift(value: Value, reduction: Reduction, shape: Value): Value {
  const body = value.graph;
  const owner = body.owner;
  const outer = owner?.graph;
  if (!owner || !outer) return value;
  const type = dataType('float32').code;
  const dims = Array.from({ length: shape.initializer!.size }, () => 1);
  for (const each of owner.subgraphs()) {
    const output = each === body ? value : constant(each, reduction.neutral, dims);
    output.setType(type, dims);
    each.addOutput(output);
  }
  const result = outer.addValue(`${value.name}_${owner.opType}`);
  // The first output of a Loop's body is its condition, which the Loop does not hand on.
  owner.setOutput(body.outputs.length - (owner.is('Loop') ? 2 : 1), result);
  if (owner.is('If')) {
    result.setType(type, dims);
    return lift(result, reduction, shape);
  }
  for (const list of ['scan_output_axes', 'scan_output_directions']) {
    const values = owner.ints(list);
    if (values) owner.setInts(list, [...values, 0]);
  }
  return lift(append(outer, 'Reshape', [append(outer, reduction.op, [result]), shape]), reduction, shape);
}

function constant(graph: Graph, value: number, dims: readonly number[]): Value {
  const node = graph.append(graph.makeNode('Constant', [], { outputs: ['neutral'] }));
  node.setTensor('value', Tensor.of('', 'float32', [...dims], Float32Array.of(value)));
  return node.output()!;
}

/** Columns that are reductions. */
export type Reduced = Exclude<Column, 'stride'>;

const pools = { max: 'GlobalMaxPool', nan: 'GlobalAveragePool', min: undefined, tie: undefined } as const;
/** The reduction of each column. */
export const reductionOf = {
  max: reductions.max,
  min: reductions.min,
  nan: reductions.sum,
  tie: reductions.max,
} as const;

/** Reduces a tensor to one element of its rank, in its graph. */
export function reduce(tensor: Value, probe: Probe, column: Reduced): Value {
  const { graph } = tensor;
  let value = asFloat32(tensor, probe);
  const pool = isPooled(value, probe) ? pools[column] : undefined;
  if (pool) value = append(graph, pool, [value]);
  return append(graph, reductionOf[column].op, [value]);
}

/** Whether pools are the best reduction. Where the minimum forces the copy out of the blocked layout, the rest is quicker on the copy. */
export function isPooled(value: Value, { traced, columns }: Probe): boolean {
  const image = traced?.dims.length === 4 && !traced.dims.includes(0);
  return image && !columns.includes('min') && isBlocked(value);
}

/**
 * How many channels have maxima of their own, for health: the images of convolutions have always the same number of them. What may
 * be left out later (statistics-run.ts) has no health: it would depend on when.
 */
export function channelsOf(tensor: Value, { traced, limits }: Probe): number | undefined {
  const dims = traced?.dims;
  const image = dims?.length === 4 && dims[0] === 1 && !dims.includes(0);
  return image && !limits && isBlocked(tensor) ? dims[1] : undefined;
}

/**
 * The maximum of each channel, [1, C, 1, 1], whatever the number of images: no dearer than the maximum of the whole, of which it is the
 * first half.
 */
export function channelMaxima(tensor: Value, probe: Probe, opset: number): Value {
  const { graph } = tensor;
  const value = asFloat32(tensor, probe);
  const pooled = isPooled(value, probe);
  const source = pooled ? append(graph, pools.max, [value]) : value;
  return appendReduction(source, reductionOf.max.op, pooled ? [0] : [0, 2, 3], opset);
}

/** The tensor as float32. */
export function asFloat32(tensor: Value, { traced }: Probe): Value {
  return traced?.type === 'float32' ? tensor : cast(tensor);
}

/** Appends a Cast to float32. */
export function cast(value: Value): Value {
  const float = append(value.graph, 'Cast', [value]);
  float.producer!.setInt('to', dataType('float32').code);
  return float;
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
