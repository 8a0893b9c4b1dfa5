/**
 * Along which axis of a graph input the samples of a batch lie, and where a Reshape inside fixes how many there are.
 *
 * No shape tells the axis: [20, 3, 8] is a batch of 20, or three series of 20 steps one beside the other. The operators do: what a convolution
 * reads has its samples along the first axis, what a recurrent one reads along the second. The input is followed through operators that move
 * axes in a known way to the first that says so.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

/** For each axis of a value the axis of the input that it is; null for any other. */
type Axes = readonly (number | null)[];

const firstIsBatch = new Set([
  'AveragePool',
  'BatchNormalization',
  'Conv',
  'ConvTranspose',
  'DepthToSpace',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'GroupNormalization',
  'InstanceNormalization',
  'LRN',
  'MaxPool',
  'SpaceToDepth',
]);
const recurrent = new Set(['GRU', 'LSTM', 'RNN']);
/** Whose result has the shape of the first input. */
const keeps = new Set([
  'Abs',
  'Cast',
  'Clip',
  'DequantizeLinear',
  'Dropout',
  'Elu',
  'Erf',
  'Exp',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'LayerNormalization',
  'LeakyRelu',
  'Log',
  'LogSoftmax',
  'Neg',
  'PRelu',
  'Pad',
  'QuantizeLinear',
  'RMSNormalization',
  'Relu',
  'Selu',
  'Sigmoid',
  'Slice',
  'Softmax',
  'Softplus',
  'Split',
  'Sqrt',
  'Tanh',
]);
const broadcasts = new Set(['Add', 'Div', 'Max', 'Mean', 'Min', 'Mul', 'Pow', 'Sub', 'Sum']);

/** The axis of a graph input along which its samples lie; undefined where nothing tells. */
export function batchAxis(input: Value): number | undefined {
  const rank = input.dims?.length;
  if (rank === undefined || rank === 0) return undefined;
  const waiting: [Value, Axes][] = [[input, Array.from({ length: rank }, (_, axis) => axis)]];
  const seen = new Set<Value>([input]);
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [value, axes] = next;
    for (const node of value.users.keys()) {
      const index = node.inputs.indexOf(value);
      const told = node.graph === value.graph ? demanded(node, index, axes) : undefined;
      if (typeof told === 'number') return told;
      const moved = told === null ? undefined : follow(node, index, axes);
      if (!moved) continue;
      for (const output of node.outputs) {
        if (!output || seen.has(output)) continue;
        seen.add(output);
        waiting.push([output, moved]);
      }
    }
  }
  return undefined;
}

/** The axis of the input that the operator takes for the batch; null when that is none of them, undefined when it takes none. */
function demanded(node: Node, index: number, axes: Axes): number | null | undefined {
  if (node.domain !== '') return undefined;
  if (firstIsBatch.has(node.opType) && index === 0) return axes[0] ?? null;
  if (node.opType === 'Gemm' && index === 0 && node.int('transA', 0) === 0) return axes[0] ?? null;
  if (!recurrent.has(node.opType)) return undefined;
  // X [steps, batch, size] and the initial states [directions, batch, size], or the batch first in all; lengths [batch].
  if (index === 4) return axes[0] ?? null;
  if (index !== 0 && index !== 5 && index !== 6) return undefined;
  return axes[node.int('layout', 0) === 1 ? 0 : 1] ?? null;
}

/** Where the axes are behind the node; undefined when that is not known. */
function follow(node: Node, index: number, axes: Axes): Axes | undefined {
  const { opType, domain } = node;
  if (domain !== '' && domain !== 'com.microsoft') return undefined;
  if (keeps.has(opType)) return index === 0 ? axes : undefined;
  if (broadcasts.has(opType)) {
    const larger = node.inputs.some((other) => (other?.dims?.length ?? 0) > axes.length);
    return larger ? undefined : axes;
  }
  if (opType === 'MatMul') {
    const rank = node.inputs[1 - index]?.dims?.length ?? Infinity;
    return index === 0 && rank <= axes.length && rank > 1 ? [...axes.slice(0, -1), null] : undefined;
  }
  if (opType === 'Transpose') {
    const order = node.ints('perm') ?? axes.map((_, i) => axes.length - 1 - i);
    return order.map((axis) => axes[axis] ?? null);
  }
  if (opType === 'Gather') return gathered(node, index, axes);
  if (opType === 'Concat') return axes;
  const list = listed(node);
  if (opType === 'Unsqueeze' && list) {
    const rank = axes.length + list.length;
    const added = new Set(list.map((axis) => (axis < 0 ? axis + rank : axis)));
    const rest = [...axes];
    return Array.from({ length: rank }, (_, i) => (added.has(i) ? null : (rest.shift() ?? null)));
  }
  if (opType === 'Squeeze' && list) {
    const dropped = new Set(list.map((axis) => (axis < 0 ? axis + axes.length : axis)));
    return axes.filter((_, i) => !dropped.has(i));
  }
  return undefined;
}

/** Axes of Squeeze and Unsqueeze: an attribute, later an input. */
function listed(node: Node): number[] | undefined {
  const given = node.constant(1);
  return given ? Array.from(given.data(), Number) : node.ints('axes');
}

/** Rows of a table by indices that are followed, or one place of what is followed. */
function gathered(node: Node, index: number, axes: Axes): Axes | undefined {
  const rank = node.inputs[1 - index]?.dims?.length;
  if (rank === undefined) return undefined;
  const own = index === 0 ? axes.length : rank;
  const axis = node.int('axis', 0);
  const at = axis < 0 ? axis + own : axis;
  const none = (length: number): Axes => Array.from({ length }, () => null);
  return index === 0
    ? [...axes.slice(0, at), ...none(rank), ...axes.slice(at + 1)]
    : [...none(at), ...axes, ...none(own - at - 1)];
}

/**
 * A batch that the inputs leave open and a Reshape inside fixes all the same: its constant shape begins with a number of samples. Exporters
 * that were told to make the batch free leave such shapes behind.
 */
export interface FixedReshape {
  readonly node: Node;
  /** The input whose open batch it fixes. */
  readonly input: Value;
  readonly size: number;
}

/** Lists candidates: such a shape may be meant as it is, which only a run tells. */
export function fixedReshapes(inputs: readonly Value[]): FixedReshape[] {
  const found: FixedReshape[] = [];
  for (const input of inputs) {
    if (!input.dims?.length || typeof input.dims[0] === 'number') continue;
    const reached = new Set<Value>([input]);
    // A set is walked in the order in which it grows.
    for (const value of reached) {
      for (const node of value.users.keys()) {
        const size = node.is('Reshape') && node.input(0) === value ? firstOf(node) : undefined;
        if (size !== undefined && size > 0) found.push({ node, input, size });
        if (node.is('Shape', 'Size')) continue;
        for (const output of node.outputs) if (output) reached.add(output);
      }
    }
  }
  return found;
}

function firstOf(node: Node): number | undefined {
  const shape = node.constant(1);
  return shape && shape.dims[0] !== 0 ? Number(shape.data()[0]) : undefined;
}
