/** Arithmetic with constants (Add, Sub, Mul, Div) is folded into layers, and into the arithmetic before it. */
import type { Node } from '../graph/node.ts';
import { elementCount } from '../onnx/data-types.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { constantOperand, type ConstantOperand, broadcasts, perChannel, type ChannelAxis } from './affine.ts';
import { absorb, doubles, fits, neededElsewhere, roundTo, setConstant, type FloatType, readersOf } from './edit.ts';
import { nodePass, rulePass } from './pass.ts';
import type { Value } from '../graph/value.ts';
import { batchNormOf, foldBeforeBatchNorm, foldBehindBatchNorm } from './batch-norm.ts';
import type { Facts } from '../graph/facts.ts';
import { applyFold, foldBefore, foldBehind, foldForward, isLinear, layerOf, type Fold } from './layer.ts';

/**
 * Add, Sub, Mul and Div with a constant per channel are folded into the Conv, ConvTranspose, Gemm, MatMul or
 * BatchNormalization before them, or else into all of those behind them. A BatchNormalization that was written as Mul
 * and Add vanishes this way, and so does the normalization of an input.
 */
export const affineFold = nodePass(
  'affine-fold',
  'Add, Sub, Mul and Div with constants are folded into the layer or BatchNormalization before or behind them',
  (node, { opset, facts }, context) => {
    const operand = constantOperand(node, opset);
    if (!operand) return false;
    const label = node.label;
    if (endsGelu(operand)) {
      context.refused(label, 'it ends a Gelu in primitive form, which onnxruntime fuses as it stands');
      return false;
    }
    const reasons: string[] = [];
    for (const attempt of [intoProducer, intoReaders]) {
      const result = attempt(operand, opset, facts);
      if (typeof result === 'string') reasons.push(result);
      if (typeof result !== 'object') continue;
      context.applied(attempt === intoProducer ? [...result, label] : [label, ...result], result[0]);
      return true;
    }
    if (reasons.length > 0) context.refused(label, reasons.join('; '));
    return false;
  },
);

/** The constant ½ of ½x(1 + erf(…)) or ½x(1 + tanh(…)): without it neither this tool nor onnxruntime would know a Gelu. */
function endsGelu({ node, x }: ConstantOperand): boolean {
  const before = (value: Value | undefined): Node[] =>
    (value?.producer?.inputs ?? []).flatMap((input) => (input?.producer ? [input.producer] : []));
  return (
    node.is('Mul') &&
    x.producer?.is('Mul') === true &&
    before(x).some((sum) => sum.is('Add') && before(sum.output()).some((inner) => inner.is('Erf', 'Tanh')))
  );
}

/** Labels of the nodes that took the map over; or why they did not, nothing changed; or undefined: there are none. */
type Attempt = (operand: ConstantOperand, opset: number, facts: Facts) => string[] | string | undefined;

function isHost(node: Node): boolean {
  return isLinear(node) || node.is('BatchNormalization');
}

const intoProducer: Attempt = (operand, opset, facts) => {
  const host = operand.x.producer;
  if (!host || !isHost(host) || host.output() !== operand.x) return undefined;
  const needed = neededElsewhere(host, operand.node);
  if (needed !== undefined) return needed;
  const behind = host.is('BatchNormalization') ? behindBatchNorm : behindLayer;
  const fold = behind(operand, host, opset, facts);
  if (typeof fold === 'string') return fold;
  applyFold(fold);
  absorb(host, operand.node);
  return [host.label];
};

function behindLayer(operand: ConstantOperand, host: Node, opset: number, facts: Facts): Fold | string {
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  const map = perChannel(operand, { channels: layer.outputs, axis: layer.axis, rank: layer.rank });
  return typeof map === 'string' ? map : foldBehind(layer, map);
}

function behindBatchNorm(operand: ConstantOperand, bn: Node, opset: number, facts: Facts): Fold | string {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = perChannel(operand, axisOf(bn, norm.gain.length, facts));
  return typeof map === 'string' ? map : foldBehindBatchNorm(bn, norm, map);
}

const intoReaders: Attempt = (operand, opset, facts) => {
  const readers = readersOf(operand.node, isHost);
  if (typeof readers === 'string') return readers;
  if (readers.length === 0) return undefined;
  const reason = foldForward(operand.node, readers, (reader) => {
    const before = reader.is('BatchNormalization') ? beforeBatchNorm : beforeLayer;
    return before(operand, reader, opset, facts);
  });
  return reason ?? readers.map((reader) => reader.label);
};

function beforeLayer(operand: ConstantOperand, host: Node, opset: number, facts: Facts): Fold | string {
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  const map = mapInFront(operand, { channels: layer.inputs, axis: layer.axis, rank: layer.rank }, facts);
  return typeof map === 'string' ? map : foldBefore(layer, map);
}

function beforeBatchNorm(operand: ConstantOperand, bn: Node, opset: number, facts: Facts): Fold | string {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = mapInFront(operand, axisOf(bn, norm.gain.length, facts), facts);
  return typeof map === 'string' ? map : foldBeforeBatchNorm(bn, norm, map);
}

function mapInFront(operand: ConstantOperand, axis: ChannelAxis, facts: Facts): ReturnType<typeof perChannel> {
  return broadcasts(operand, axis, facts) ?? perChannel(operand, axis);
}

/** Axis 1 counted from the end: no axis at all while the rank is unknown, and then only a single number fits. */
function axisOf(bn: Node, channels: number, facts: Facts): ChannelAxis {
  const { rank } = facts.of(bn.input(0));
  return { channels, axis: rank === undefined ? NaN : 1 - rank, rank };
}

/**
 * Two constants added one after the other are one constant, and so are two that multiply: Add and Sub compute c + x or
 * c - x, Mul and Div c · x or c / x, and two of a kind are one more of that kind.
 */
export const affinePairs = rulePass(
  'affine-pairs',
  'constants that are added, or multiplied, one after the other become one',
  (second, { opset }) => {
    const outer = stepOf(second, opset);
    const inner = outer?.x.producer && stepOf(outer.x.producer, opset);
    if (!outer || !inner || outer.kind !== inner.kind) return undefined;
    return { nodes: [inner.node, second], apply: () => merge(inner, outer) };
  },
);

interface Step extends ConstantOperand {
  readonly kind: 'sum' | 'product';
  /** True for c - x and c / x. */
  readonly inverse: boolean;
  /** What is added or multiplied: the constant, or its negative or reciprocal (x - c, x / c). */
  c(value: number): number;
}

function stepOf(node: Node, opset: number): Step | undefined {
  const affine = constantOperand(node, opset);
  if (!affine) return undefined;
  const kind = node.is('Add', 'Sub') ? 'sum' : 'product';
  const undoes = node.is('Sub', 'Div');
  const inverse = undoes && node.input(1) === affine.x;
  const c = (value: number): number => (undoes === inverse ? value : kind === 'sum' ? -value : 1 / value);
  return { ...affine, kind, inverse, c };
}

/** c2 ± (c1 ± x), or c2 · (c1 · x^±1)^±1: merges into the first node, or returns the reason why not. */
function merge(first: Step, second: Step): string | undefined {
  const { node, kind, constant } = first;
  const needed = neededElsewhere(node, second.node);
  if (needed !== undefined) return needed;
  const dims = broadcastDims(constant.dims, second.constant.dims);
  const size = elementCount(dims);
  if (size > Math.max(constant.size, second.constant.size)) {
    return `the two constants together are larger ([${dims.join(', ')}]) than each of them`;
  }
  const [a, b] = [spread(constant, dims), spread(second.constant, dims)];
  const both = a.map((value, i) => {
    const [inner, outer] = [first.c(value), second.c(b[i]!)];
    if (kind === 'sum') return second.inverse ? outer - inner : outer + inner;
    return second.inverse ? outer / inner : outer * inner;
  });
  const type = constant.type.name as FloatType;
  const data = roundTo(type, both);
  if (!fits(data, type)) return `the two constants make one that does not fit ${type}`;
  setConstant(node, node.input(0) === first.x ? 1 : 0, { type, dims, data }, constant.name);
  const inverse = first.inverse !== second.inverse;
  node.opType = kind === 'sum' ? (inverse ? 'Sub' : 'Add') : inverse ? 'Div' : 'Mul';
  if (inverse && node.input(0) === first.x) {
    const merged = node.input(1)!;
    node.setInput(1, first.x);
    node.setInput(0, merged);
  }
  absorb(node, second.node);
  return undefined;
}

function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a.at(i - rank), b.at(i - rank)].map((dim) => dim ?? 1) as [number, number];
    return m === 1 ? n : m;
  });
}

/** The elements in float64, repeated along the axes that the constant lacks or has with size 1. */
function spread(tensor: Tensor, dims: readonly number[]): Float64Array {
  const content = doubles(tensor);
  const result = new Float64Array(elementCount(dims));
  const own = dims.map((_, i) => tensor.dims[i - dims.length + tensor.dims.length] ?? 1);
  for (let i = 0; i < result.length; i++) {
    let [rest, stride, index] = [i, 1, 0];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (own[axis] !== 1) index += (rest % dims[axis]!) * stride;
      rest = Math.floor(rest / dims[axis]!);
      stride *= own[axis]!;
    }
    result[i] = content[index]!;
  }
  return result;
}
