/**
 * Where a NaN must be looked for. onnxruntime's ReduceMin, ReduceMax and GlobalMaxPool lose a NaN in almost every position, so
 * min and max do not show it; a sum does. One sum per tensor would be dear and is not needed: NaN passes through most
 * operators, so the sums stand only where it could stop, and every NaN ends in one of them.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

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
