/**
 * Add, Sub, Mul and Div with a constant, as the affine map that they are, and when such a constant is one number per
 * channel that leaves the shape of the other operand alone.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { doubles, isFloatType } from './edit.ts';
import type { Facts } from '../graph/facts.ts';

/** y = gain · x + shift; float64, one number per channel. */
export interface Affine {
  readonly gain: Float64Array;
  readonly shift: Float64Array;
}

/** A binary node with one float constant. */
export interface ConstantOperand {
  readonly node: Node;
  /** The other operand. */
  readonly x: Value;
  readonly constant: Tensor;
}

/** Undefined for any other node, and before opset 7, when attributes ruled broadcasting. */
export function constantOperand(node: Node, opset: number): ConstantOperand | undefined {
  if (opset < 7 || !node.is('Add', 'Sub', 'Mul', 'Div')) return undefined;
  const [left, right] = [node.input(0), node.input(1)];
  if (!left || !right || left.isConstant === right.isConstant) return undefined;
  const [x, constant] = left.isConstant ? [right, left.constant!] : [left, right.constant!];
  return isFloatType(constant.type.name) ? { node, x, constant } : undefined;
}

/** The map that the node is, given its constant as one number per channel. c / x is none. */
function mapOf({ node, x }: ConstantOperand, c: Float64Array): Affine | string {
  const all = (value: number): Float64Array => new Float64Array(c.length).fill(value);
  if (node.is('Add')) return { gain: all(1), shift: c };
  if (node.is('Mul')) return { gain: c, shift: all(0) };
  const first = node.input(0) === x;
  if (node.is('Sub')) return first ? { gain: all(1), shift: c.map((value) => -value) } : { gain: all(-1), shift: c };
  return first ? { gain: c.map((value) => 1 / value), shift: all(0) } : `it divides its constant by '${x.name}'`;
}

/** Where the channels stand: `axis` is counted from the end (-1 is the last). */
export interface ChannelAxis {
  readonly channels: number;
  readonly axis: number;
  /** Rank of the tensor, when it is known. */
  readonly rank: number | undefined;
}

/**
 * The map of `operand` per channel of a tensor that stays as it is in shape, or the reason why it is none.
 */
export function perChannel(operand: ConstantOperand, { channels, axis, rank }: ChannelAxis): Affine | string {
  const { dims, size } = operand.constant;
  const shape = `its constant has shape [${dims.join(', ')}]`;
  if (dims.length > (rank ?? 1))
    return `${shape}, the tensor ${rank === undefined ? 'an unknown rank' : `rank ${rank}`}`;
  const fit = dims.every((dim, i) => dim === 1 || (i - dims.length === axis && dim === channels));
  if (!fit) return `${shape}, which is not one number for each of ${channels} channels`;
  const content = doubles(operand.constant);
  const map = mapOf(operand, size === 1 ? new Float64Array(channels).fill(content[0]!) : content);
  if (typeof map === 'string') return map;
  return map.gain.every(Number.isFinite) && map.shift.every(Number.isFinite)
    ? map
    : 'its constant is not finite, or divides by zero';
}

/** Why the result of the node may have a larger shape than its `x`; undefined when it is known not to. */
export function broadcasts({ x, constant }: ConstantOperand, axis: ChannelAxis, facts: Facts): string | undefined {
  const { dims, size } = constant;
  // The result has the larger of both ranks: the rank of a smaller constant tells that of x.
  const rank = facts.of(x).rank ?? (dims.length < (axis.rank ?? 0) ? axis.rank : undefined);
  if (dims.length > 0 && rank === undefined) return `the rank of '${x.name}' is not known`;
  if (dims.length > (rank ?? 0)) return `its constant has more axes than '${x.name}'`;
  const channels = size === 1 ? undefined : sizeAlong(x, axis.axis, 16);
  if (size === 1 || channels === axis.channels) return undefined;
  return `'${x.name}' ${channels === undefined ? 'is not known to have' : `has ${channels} channels, not`} ${axis.channels}${channels === undefined ? ' channels' : ''}`;
}

const unary = [
  'Relu',
  'LeakyRelu',
  'Clip',
  'Sigmoid',
  'Tanh',
  'HardSwish',
  'Identity',
  'Dropout',
  'BatchNormalization',
];

/** The size of an axis counted from the end, from declarations and at most `steps` producers. */
function sizeAlong(value: Value, axis: number, steps: number): number | undefined {
  const dims = value.dims;
  const dim = dims?.at(axis);
  if (typeof dim === 'number') return dim;
  if (dims && dims.length < -axis) return 1;
  const { producer } = value;
  if (!producer || steps === 0) return undefined;
  if (producer.is(...unary)) return sizeAlong(producer.input(0)!, axis, steps - 1);
  const weight = producer.input(1)?.dims;
  if (producer.is('Conv') && weight?.length === 1 - axis) return weight[0] as number;
  if (!producer.is('Add', 'Sub', 'Mul', 'Div')) return undefined;
  const constant = producer.inputs.find((input) => input?.isConstant);
  const other = producer.inputs.find((input) => input !== constant);
  if (!constant || !other) return undefined;
  const size = sizeAlong(constant, axis, 0)!;
  return size > 1 ? size : sizeAlong(other, axis, steps - 1);
}
