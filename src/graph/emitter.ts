/**
 * Builds graphs by code: gradients, losses, unrolled cells. Each call adds one node and returns its result, so that a formula
 * reads like a formula. Constants are made once per content. Operators are written as opset 16 to 24 read them alike.
 */
import { Tensor } from '../onnx/tensor.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

/** Whole numbers are int attributes; floats are marked, because 1 may be either. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, AttributeValue>>;

export class Emitter {
  readonly graph: Graph;
  /** Path in front of the names of what is emitted: nodes are named `scope/OpType`. */
  scope: string;
  /** Where nodes are placed: before this one, or at the end of the graph. */
  anchor: Node | undefined;
  /** Everything emitted, in order. */
  readonly nodes: Node[] = [];
  readonly #constants = new Map<string, Value>();

  constructor(graph: Graph, scope: string, anchor?: Node) {
    this.graph = graph;
    this.scope = scope;
    this.anchor = anchor;
  }

  op(opType: string, inputs: readonly (Value | null)[], attributes: Attributes = {}, domain = ''): Value {
    return this.ops(opType, inputs, 1, attributes, domain)[0]!;
  }

  /** A node with several results. */
  ops(
    opType: string,
    inputs: readonly (Value | null)[],
    results: number,
    attributes: Attributes = {},
    domain = '',
  ): Value[] {
    const name = this.graph.names.unique(`${this.scope}/${opType}`);
    const outputs = Array.from({ length: results }, (_, i) =>
      results === 1 ? `${name}_output` : `${name}_output${i}`,
    );
    const node = this.graph.makeNode(opType, inputs, { name, outputs, domain });
    for (const [key, value] of Object.entries(attributes)) setAttribute(node, key, value);
    if (this.anchor) this.graph.insertBefore(node, this.anchor);
    else this.graph.append(node);
    this.nodes.push(node);
    return node.outputs as Value[];
  }

  /** A float32 constant without dimensions. */
  scalar(value: number): Value {
    return this.floats([], [value]);
  }

  /** A float32 constant. */
  floats(dims: readonly number[], data: ArrayLike<number>): Value {
    const content = Float32Array.from(data);
    // Long constants are hardly ever asked for twice, and their text would be long.
    const key = content.length <= 64 ? `f[${dims.join()}]${content.join()}` : undefined;
    return this.#constant(key, () => Tensor.of(`${this.scope}/constant`, 'float32', dims, content));
  }

  /** A 1-D int64 constant: shapes, axes, pads. */
  ints(values: readonly number[]): Value {
    return this.#constant(`i${values.join()}`, () => {
      return Tensor.of(`${this.scope}/ints`, 'int64', [values.length], BigInt64Array.from(values, BigInt));
    });
  }

  reshape(value: Value, dims: readonly number[]): Value {
    return this.op('Reshape', [value, this.ints(dims)]);
  }

  transpose(value: Value, perm: readonly number[]): Value {
    return perm.every((axis, index) => axis === index) ? value : this.op('Transpose', [value], { perm });
  }

  /** Swaps the last two of `rank` axes. */
  swapLast(value: Value, rank: number): Value {
    const perm = Array.from({ length: rank }, (_, axis) => axis);
    [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
    return this.transpose(value, perm);
  }

  /** The sum over some axes; over none it is the value itself. */
  sum(value: Value, axes: readonly number[], keepdims: boolean): Value {
    return axes.length === 0 ? value : this.op('ReduceSum', [value, this.ints(axes)], { keepdims: Number(keepdims) });
  }

  /** Sums over the axes along which `to` was broadcast to `from`. @returns shape `to` */
  unbroadcast(value: Value, from: readonly number[], to: readonly number[]): Value {
    if (sameDims(from, to)) return value;
    const lead = from.length - to.length;
    const axes = from.flatMap((dim, axis) => (axis < lead || (to[axis - lead] === 1 && dim !== 1) ? [axis] : []));
    const summed = this.sum(value, axes, lead === 0);
    return lead === 0 ? summed : this.reshape(summed, to);
  }

  /** `starts`, `ends` and `steps` of the listed axes. */
  slice(
    value: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): Value {
    const inputs = [starts, ends, axes, ...(steps ? [steps] : [])].map((list) => this.ints(list));
    return this.op('Slice', [value, ...inputs]);
  }

  /** Zeros around the value, or none when all are 0. @param pads beginnings of all axes, then ends; not negative */
  pad(value: Value, pads: readonly number[]): Value {
    return pads.every((pad) => pad === 0) ? value : this.op('Pad', [value, this.ints(pads)]);
  }

  /** The mean over axes that hold `count` elements together. */
  mean(value: Value, axes: readonly number[], count: number, keepdims = true): Value {
    return this.op('Mul', [this.sum(value, axes, keepdims), this.scalar(1 / count)]);
  }

  /** A matrix [to, from] applied along one axis of a value of this rank. */
  along(value: Value, axis: number, rank: number, matrix: Value): Value {
    if (axis === rank - 2) return this.op('MatMul', [matrix, value]);
    const swap = Array.from({ length: rank }, (_, i) => i);
    [swap[axis], swap[rank - 1]] = [rank - 1, axis];
    const rows = this.op('MatMul', [this.transpose(value, swap), this.transpose(matrix, [1, 0])]);
    return this.transpose(rows, swap);
  }

  #constant(key: string | undefined, make: () => Tensor): Value {
    let value = key === undefined ? undefined : this.#constants.get(key);
    if (!value) {
      value = this.graph.addInitializer(make());
      if (key !== undefined) this.#constants.set(key, value);
    }
    return value;
  }

  /** Takes everything emitted back out of the graph. */
  undo(): void {
    for (const node of this.nodes.reverse()) this.graph.remove(node);
    for (const value of this.#constants.values()) if (value.useCount === 0) this.graph.removeValue(value);
    this.nodes.length = 0;
  }
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** The axes 0 … rank - 1 without the listed ones. */
export function axesBut(rank: number, ...kept: readonly number[]): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !kept.includes(axis));
}

/** 1 everywhere but at `axis`: the shape in which one number per channel meets a tensor of this rank. */
export function channelShape(rank: number, axis: number, channels: number): number[] {
  return Array.from({ length: rank }, (_, index) => (index === axis ? channels : 1));
}

function setAttribute(node: Node, name: string, value: AttributeValue): void {
  if (typeof value === 'string') node.setString(name, value);
  else if (typeof value === 'number') node.setInt(name, value);
  else if ('float' in value) node.setFloat(name, value.float);
  else node.setInts(name, value);
}
