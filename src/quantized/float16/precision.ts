/**
 * Which nodes compute in float16, and why the others do not: no such operator, or numbers that float16 cannot hold, be it constants,
 * observed ranges, or inner sums. Sums over many elements leave float16 before the mean, the root or the quotient that is wanted of
 * them does; kernels that add in float16 (WebGPU, NPUs) then give infinity. Normalizations are not asked for their sums: their first
 * stage is float32 by definition (stash_type).
 */
import { elementTypes, type ElementTypes } from '../../graph/element-types.ts';
import type { Facts } from '../../graph/facts.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { own } from '../../graph/names.ts';
import { integersOf } from '../../graph/shapes/size.ts';
import type { Value } from '../../graph/value.ts';
import type { Interval } from '../../ops/op.ts';
import { unobservable } from '../../quantizable/kept-nodes.ts';
import { softmaxOnly } from '../../quantizable/attention.ts';
import type { NodeSelection } from '../../quantizable/selection.ts';

/** The largest finite float16. */
const largestHalf = 65504;

/** Half of the least positive float16: below it a number rounds to 0. */
const leastHalf = 2 ** -25;

/** Operators whose schema has no float16, or whose attributes fix the type of the result. */
const floatOnly: ReadonlySet<string> = new Set([
  ...['NonMaxSuppression', 'Range', 'RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike'],
  ...['Multinomial', 'EyeLike', 'DynamicQuantizeLinear', 'QuantizeLinear', 'DequantizeLinear', 'MelWeightMatrix'],
  // Their scales are float32 whatever they stand among; and codes are no place for another rounding.
  ...['QLinearConv', 'QLinearMatMul', 'BitCast', 'STFT', 'SequenceMap'],
  ...['ImageDecoder', 'TfIdfVectorizer', 'HannWindow', 'HammingWindow', 'BlackmanWindow'],
]);

/** Operators that put tensors into sequences and optionals, and take them out. */
const containers = /^(Sequence|Optional)|^(SplitToSequence|ConcatFromSequence)$/;

/** Operators of onnxruntime's own domain that take float16. */
const ownHalf: ReadonlySet<string> = new Set([
  ...['MatMulNBits', 'GatherBlockQuantized', 'Gelu', 'FastGelu', 'QuickGelu', 'BiasGelu', 'FusedMatMul'],
  ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization', 'EmbedLayerNormalization', 'RotaryEmbedding'],
  ...['Attention', 'MultiHeadAttention', 'GroupQueryAttention'],
]);

/** Inputs that are float32 whatever the others are. */
const fixedInputs: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2], Upsample: [1] };

/** Whether the input stays float32 in a node that computes in float16. */
export function isFixedInput(node: Node, index: number): boolean {
  return node.domain === '' && (own(fixedInputs, node.opType)?.includes(index) ?? false);
}

/**
 * Values of the model that are float32, and hence could be float16. `isMask`: a Softmax is all they lead to, for which any number
 * far below the others does.
 */
export function floatValues(model: Model): {
  readonly types: ElementTypes;
  isFloat(value: Value): boolean;
  isMask(value: Value): boolean;
} {
  const types = elementTypes(model);
  const masks = [...model.graph.graphs()].map((graph) => softmaxOnly(graph, model.opset));
  return {
    types,
    isFloat: (value) => (value.initializer?.type.name ?? types.get(value)) === 'float32',
    isMask: (value) => masks.some((each) => each.has(value)),
  };
}

/** Fits a mask into float16: what is finite stays so, with room for the scores that are added to it. */
export function maskInHalf(numbers: Float32Array): Float32Array {
  const far = largestHalf / 2;
  return numbers.map((x) => (Number.isFinite(x) && Math.abs(x) > largestHalf ? Math.sign(x) * far : x));
}

/**
 * Why the node stays in float32, or undefined when it computes in float16, or computes nothing in float.
 * @param ranges of the activations, as far as they were observed
 */
export function reasonForFloat(
  node: Node,
  { isFloat, isMask }: Pick<ReturnType<typeof floatValues>, 'isFloat' | 'isMask'>,
  ranges: ReadonlyMap<string, Interval>,
  selection?: NodeSelection,
  facts?: Facts,
): string | undefined {
  const owner = node.is('SequenceMap') ? node : unobservable(node.graph!);
  if (owner) return `what ${owner.opType} '${owner.label}' works on stays float32`;
  // The owner of a body only hands values on.
  if (node.subgraphs().length > 0) return undefined;
  const values = [...node.inputs, ...node.outputs].filter((value) => value !== null && isFloat(value)) as Value[];
  if (values.length === 0) return undefined;
  const kept = selection?.reason(node);
  if (kept !== undefined) return kept;
  if (node.domain === '' && containers.test(node.opType))
    return 'what goes through sequences and optionals stays float32';
  if (node.domain === '' ? floatOnly.has(node.opType) : !ownHalf.has(node.opType)) {
    return `${node.opType} is not defined for float16`;
  }
  if (node.is('Constant') && !node.tensor('value')) return 'its value is an attribute of type float32';
  if (node.is('ScatterND', 'ScatterElements') && node.string('reduction', 'none') !== 'none')
    return `onnxruntime has no float16 kernel of ${node.opType} with a reduction`;
  for (const value of values) {
    const reason = value.isConstant && isMask(value) ? undefined : outOfRange(value, ranges.get(value.name));
    if (reason !== undefined) return reason;
  }
  return facts && overflowingSum(node, ranges, facts);
}

function outOfRange(value: Value, range: Interval | undefined): string | undefined {
  const { constant, name } = value;
  if (!constant) {
    const largest = range ? Math.max(-range.min, range.max) : 0;
    return largest > largestHalf ? `tensor '${name}' reaches ${largest.toPrecision(3)}, beyond float16` : undefined;
  }
  const numbers = constant.floats();
  let largest = 0;
  for (const number of numbers) if (Number.isFinite(number) && Math.abs(number) > largest) largest = Math.abs(number);
  if (largest > largestHalf) return `its constant '${name}' holds ${largest.toPrecision(3)}, beyond float16`;
  // A guard such as 1e-12 that keeps a divisor from 0 must not become 0 itself.
  const lost = numbers.length === 1 && largest > 0 && largest < leastHalf;
  return lost ? `its constant '${name}' (${largest.toPrecision(3)}) is 0 in float16` : undefined;
}

/** What a node adds up. */
type Kind = 'sum' | 'squares' | 'exponentials';

const kinds: Readonly<Record<string, Kind>> = {
  ReduceSum: 'sum',
  ReduceMean: 'sum',
  ReduceL1: 'sum',
  GlobalAveragePool: 'sum',
  AveragePool: 'sum',
  ReduceL2: 'squares',
  ReduceSumSquare: 'squares',
  Softmax: 'exponentials',
  LogSoftmax: 'exponentials',
  ReduceLogSumExp: 'exponentials',
};

/** Why the node's inner sum does not fit, as far as ranges and shapes tell. */
function overflowingSum(node: Node, ranges: ReadonlyMap<string, Interval>, facts: Facts): string | undefined {
  const kind = node.domain === '' ? own(kinds, node.opType) : undefined;
  const count = kind && elementsOf(node, facts);
  if (!kind || count === undefined) return undefined;
  const largest = largestSum(node, kind, count, ranges);
  if (largest <= largestHalf) return undefined;
  return `it adds up ${count} elements, to as much as ${largest.toPrecision(3)}, beyond float16`;
}

function largestSum(node: Node, kind: Kind, count: number, ranges: ReadonlyMap<string, Interval>): number {
  // Softmax subtracts the largest first: each exponential is 1 at most.
  if (kind === 'exponentials') return count;
  const range = ranges.get(node.input(0)!.name);
  if (!range) return 0;
  const magnitude = Math.max(-range.min, range.max);
  const most = count * (kind === 'squares' ? magnitude ** 2 : magnitude);
  // What has one sign adds up to no more than the result that was seen.
  const result = ranges.get(node.output()!.name);
  if (!result || (range.min < 0 && !/^ReduceL[12]$|^ReduceSumSquare$/.test(node.opType))) return most;
  const seen = Math.max(-result.min, result.max);
  if (node.is('ReduceL2')) return Math.min(most, seen ** 2);
  return Math.min(most, node.is('ReduceMean', 'GlobalAveragePool', 'AveragePool') ? seen * count : seen);
}

/** How many elements one result is made of; undefined where the shape does not tell. */
function elementsOf(node: Node, facts: Facts): number | undefined {
  const dims = facts.of(node.input(0)).dims;
  if (node.is('AveragePool')) return product(node.ints('kernel_shape') ?? []);
  if (!dims) return undefined;
  const sizes = axesOf(node, dims.length)?.map((axis) => dims[axis < 0 ? axis + dims.length : axis]);
  return sizes?.every((size) => typeof size === 'number') ? product(sizes) : undefined;
}

function axesOf(node: Node, rank: number): readonly number[] | undefined {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  if (node.is('GlobalAveragePool')) return all.slice(2);
  if (node.is('Softmax', 'LogSoftmax')) return [node.int('axis', -1)];
  if (!node.attributes.has('axes') && !node.input(1)) return node.int('noop_with_empty_axes', 0) === 1 ? [] : all;
  return integersOf(node, 'axes', 1);
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
