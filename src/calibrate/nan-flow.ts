/**
 * The way of NaN through a graph: where it must be looked for, and where it is meant to be.
 *
 * onnxruntime's ReduceMin, ReduceMax and GlobalMaxPool lose a NaN in almost every position, so min and max do not show it; a sum does.
 * One sum per tensor would be dear and is not needed: NaN passes through most operators, so the sums stand only where it could stop,
 * and every NaN ends in one of them.
 *
 * Tensors may hold NaN that a guard removes: a row in which everything is masked gives NaN in Softmax, and a Where behind it, often fed by
 * IsNaN, puts something else in its place. Such NaN is meant. Whether it is all gone behind the guard is looked at there.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';

/**
 * Operators of which NaN in any element of any float input makes some element of the (only) output NaN, on onnxruntime's CPU
 * kernels, fused or not. A test puts a NaN in every position of every one. What is not listed is taken to stop NaN.
 */
export const passesNaN: ReadonlySet<string> = new Set([
  ...[
    'Relu',
    'LeakyRelu',
    'PRelu',
    'Clip',
    'Elu',
    'Selu',
    'Sigmoid',
    'HardSigmoid',
    'HardSwish',
    'Tanh',
    'Softplus',
    'Gelu',
  ],
  ...['Add', 'Sub', 'Mul', 'Div', 'Sum', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Log', 'Erf', 'Reciprocal'],
  ...[
    'Conv',
    'Gemm',
    'MatMul',
    'BatchNormalization',
    'InstanceNormalization',
    'LayerNormalization',
    'Softmax',
    'LogSoftmax',
  ],
  ...['GlobalAveragePool', 'ReduceMean', 'ReduceSum'],
  ...['Identity', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Concat'],
]);

function passes(node: Node): boolean {
  if (node.domain !== '' || !passesNaN.has(node.opType)) return false;
  return node.opType !== 'Conv' || readsEverything(node);
}

/** Whether the windows of a convolution cover every element of its input, whatever its size. */
function readsEverything(conv: Node): boolean {
  const strides = conv.ints('strides') ?? [];
  if (conv.ints('dilations')?.some((dilation) => dilation !== 1)) return false;
  if (strides.every((stride) => stride === 1)) return true;
  const kernel = conv.ints('kernel_shape') ?? conv.constant(1)?.dims.slice(2) ?? [];
  const pads = conv.ints('pads') ?? [];
  return strides.every(
    (stride, axis) => (kernel[axis] ?? 0) >= stride && (pads[axis + strides.length] ?? 0) >= stride - 1,
  );
}

/** Only tensors can be summed; these make or read sequences, maps and optionals. */
const beyondTensors = /^(Sequence|SplitToSequence|ConcatFromSequence|Optional|ZipMap)/;

/** The activations of a graph without dead nodes in which NaN must be looked for, integer ones among them. */
export function nanStops(graph: Graph): Value[] {
  const stops = ({ producer, users }: Value): boolean => {
    const nodes = [...users.keys()];
    if (producer?.opType === 'QuantizeLinear') return false;
    if ([producer, ...nodes].some((node) => node && beyondTensors.test(node.opType))) return false;
    return !nodes.some((user) => user.graph === graph && passes(user));
  };
  const inputs = graph.inputs.filter((value) => !value.initializer);
  const made = [...graph.nodes()].flatMap((node) => node.outputs.filter((value) => value !== null));
  return [...inputs, ...made].filter((value) => value.useCount > 0 && stops(value));
}

/** Operators that hand NaN on, if not all of it: what they leave out is lost for a reason. */
const selects = new Set(['Slice', 'Split', 'Gather', 'GatherElements', 'GatherND', 'Expand', 'Tile', 'Pad', 'Cast']);

/** Whether a node puts something else in the place of NaN at this input. */
function guards(node: Node, index: number): boolean {
  return node.is('IsNaN', 'IsInf') || (node.is('Where') && index > 0);
}

/** The activations of a graph from which every way to an output leads through a guard. */
export function guardedValues(graph: Graph): ReadonlySet<Value> {
  const found = new Set<Value>();
  const look = (value: Value): void => {
    if (value.isOutput || value.users.size === 0) return;
    const safe = [...value.users.keys()].every((user) => {
      if (user.graph !== graph || user.domain !== '') return false;
      const places = [...user.inputs.keys()].filter((index) => user.inputs[index] === value);
      if (places.every((index) => guards(user, index))) return true;
      if (!passesNaN.has(user.opType) && !selects.has(user.opType)) return false;
      return user.outputs.every((output) => !output || found.has(output));
    });
    if (safe) found.add(value);
  };
  for (const node of topological(graph).reverse()) for (const value of node.outputs) if (value) look(value);
  for (const value of graph.inputs) if (!value.producer) look(value);
  return found;
}

/** The results of the guards that stand next behind these tensors. */
export function guardsBehind(values: Iterable<Value>, guarded: ReadonlySet<Value>): Set<Value> {
  const results = new Set<Value>();
  const seen = new Set<Value>();
  const open = [...values].filter((value) => guarded.has(value));
  while (open.length > 0) {
    const value = open.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    for (const user of value.users.keys()) {
      for (const output of user.outputs) {
        if (!output || user.is('IsNaN', 'IsInf')) continue;
        if (user.is('Where')) results.add(output);
        if (guarded.has(output)) open.push(output);
      }
    }
  }
  return results;
}
