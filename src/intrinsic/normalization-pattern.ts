/**
 * What layer-norm and rms-norm share: v / √(mean(v²) + ε) over the last axes, and the constant scale and bias behind it.
 * LayerNormalization is this of v = x - mean(x), RMSNormalization of x itself.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { become, otherOperand, scalarOf } from './pattern.ts';

export interface RootMeanSquare {
  readonly value: Value;
  /** The mean over which axes, as the node says it. */
  readonly mean: Node;
  readonly epsilon: number;
  readonly nodes: readonly Node[];
}

/** Matches Div(v, Sqrt(e)), Mul(v, Reciprocal(Sqrt(e))), Mul(v, Div(1, Sqrt(e))) and Mul(v, Pow(e, -½)), e = Add(mean(v²), ε). */
export function rootMeanSquareOf(node: Node): RootMeanSquare | undefined {
  const operands: readonly (readonly [number, number])[] = node.is('Div')
    ? [[0, 1]]
    : [
        [0, 1],
        [1, 0],
      ];
  if (!node.is('Div', 'Mul')) return undefined;
  for (const [index, other] of operands) {
    const value = node.input(index);
    const root = node.is('Div') ? rootOf(node.input(other)) : inverseRootOf(node.input(other));
    const mean = root && value && meanSquareOf(root.value, value);
    if (mean) return { ...mean, value, nodes: [...mean.nodes, ...root.nodes, node] };
  }
  return undefined;
}

/** A value and the nodes between. */
interface Step {
  readonly value: Value;
  readonly nodes: readonly Node[];
}

/** x - mean(x): the two nodes. */
export function centeredBy({ producer: sub }: Value): readonly [Node, Node] | undefined {
  const mean = sub?.is('Sub') ? sub.input(1)?.producer : undefined;
  if (!sub || !mean?.is('ReduceMean') || mean.input(0) !== sub.input(0)) return undefined;
  return mean.int('keepdims', 1) === 1 ? [sub, mean] : undefined;
}

/** e of √e. */
function rootOf(value: Value | undefined): Step | undefined {
  const node = value?.producer;
  const e = node?.input(0);
  if (!node || !e) return undefined;
  const isRoot = node.is('Sqrt') || (node.is('Pow') && scalarOf(node.input(1)) === 0.5);
  return isRoot ? { value: e, nodes: [node] } : undefined;
}

/** e of 1/√e. */
function inverseRootOf(value: Value | undefined): Step | undefined {
  const node = value?.producer;
  if (!node) return undefined;
  if (node.is('Pow')) {
    return scalarOf(node.input(1)) === -0.5 ? { value: node.input(0)!, nodes: [node] } : undefined;
  }
  const divisor = node.is('Reciprocal') ? 0 : node.is('Div') && scalarOf(node.input(0)) === 1 ? 1 : undefined;
  const root = divisor === undefined ? undefined : rootOf(node.input(divisor));
  return root && { value: root.value, nodes: [...root.nodes, node] };
}

/** e = mean(v²) + ε, with v² as a power or as a product. */
function meanSquareOf(e: Value, v: Value): Omit<RootMeanSquare, 'value'> | undefined {
  const add = e.producer;
  if (!add?.is('Add')) return undefined;
  const offset = add.inputs.find((input) => scalarOf(input ?? undefined) !== undefined) ?? undefined;
  const mean = otherOperand(add, offset)?.producer;
  if (!offset || !mean?.is('ReduceMean') || mean.int('keepdims', 1) !== 1) return undefined;
  const square = mean.input(0)?.producer;
  const base = square?.input(0);
  const isSquare = square?.is('Mul') ? square.input(1) === base : square?.is('Pow') && scalarOf(square.input(1)) === 2;
  const copies = base && isSquare ? differences(base, v) : undefined;
  return copies && { mean, epsilon: scalarOf(offset)!, nodes: [...copies, square!, mean, add] };
}

/**
 * The nodes that compute `a` a second time, when it is `b` computed twice: exporters write x - mean(x) once for the
 * variance and once for the quotient. Undefined when they are different values.
 */
function differences(a: Value, b: Value, depth = 2): Node[] | undefined {
  if (a === b) return [];
  const [p, q] = [a.producer, b.producer];
  if (!p || !q || depth === 0 || !p.is('Sub', 'ReduceMean') || p.opType !== q.opType || q.domain !== '')
    return undefined;
  if (
    p.is('ReduceMean') &&
    (axesOf(p)?.join() !== axesOf(q)?.join() || p.int('keepdims', 1) !== q.int('keepdims', 1))
  ) {
    return undefined;
  }
  const nodes = [p];
  for (const index of p.is('Sub') ? [0, 1] : [0]) {
    const [x, y] = [p.input(index), q.input(index)];
    const inner = x && y && differences(x, y, depth - 1);
    if (!inner) return undefined;
    nodes.unshift(...inner);
  }
  return nodes;
}

/** Constant axes as they are written: an attribute before opset 18, an input since. */
export function axesOf(mean: Node): number[] | undefined {
  return mean.ints('axes') ?? mean.constant(1)?.ints();
}

/** How many of the last axes these are, or the reason why they are not the last ones. */
export function lastAxes(mean: Node, x: Value, rank: number | undefined): number | string {
  const axes = axesOf(mean);
  if (!axes || axes.length === 0) return 'its axes are not constant';
  if (rank === undefined && axes.some((axis) => axis >= 0)) return `the rank of '${x.name}' is not known`;
  const fromEnd = axes.map((axis) => (axis < 0 ? -axis : rank! - axis)).sort((a, b) => a - b);
  return fromEnd.every((axis, i) => axis === i + 1)
    ? fromEnd.length
    : `its axes [${axes.join(', ')}] are not the last ones`;
}

/** The Mul and the Add with a constant behind the quotient. */
export interface Affine {
  readonly root: Node;
  readonly nodes: readonly Node[];
  readonly scale: Value | undefined;
  readonly bias: Value | undefined;
}

/** @param count of normalized axes; the constants must have exactly their shape */
export function affineBehind(quotient: Node, x: Value, count: number, withBias: boolean): Affine | string {
  const shape = x.dims?.slice(-count);
  const nodes: Node[] = [];
  let root = quotient;
  let reason: string | undefined;
  const next = (opType: string): Value | undefined => {
    const output = root.output()!;
    const user = output.soleUser;
    const operand = user?.is(opType) && user.graph === root.graph ? otherOperand(user, output) : undefined;
    const dims = operand?.constant?.dims;
    if (!operand || !dims) return undefined;
    const fits =
      dims.length === count && dims.every((dim, i) => (typeof shape?.[i] === 'number' ? shape[i] === dim : dim > 1));
    if (!fits) reason ??= `'${operand.name}' has shape [${dims.join(', ')}], not that of the normalized axes`;
    nodes.push((root = user!));
    return operand;
  };
  const scale = next('Mul');
  const bias = withBias ? next('Add') : undefined;
  return reason ?? { root, nodes, scale, bias };
}

/** The root becomes the operator; without a scale it gets ones. Returns the reason when their number is not known. */
export function normalize(
  opType: string,
  { root, scale, bias }: Affine,
  x: Value,
  count: number,
  epsilon: number,
): (() => void) | string {
  const shape = x.dims?.slice(-count);
  const isKnown = shape?.every((dim) => typeof dim === 'number');
  if (!scale && !isKnown) return `it has no scale, and the length of the normalized axes of '${x.name}' is not known`;
  const ones = (): Value => {
    const dims = shape as number[];
    const data = new Float32Array(dims.reduce((size, dim) => size * dim, 1)).fill(1);
    return root.graph!.addInitializer(Tensor.of(`${root.label}_scale`, 'float32', dims, data));
  };
  return () => {
    become(root, opType, [x, scale ?? ones(), ...(bias ? [bias] : [])]);
    root.setInt('axis', -count);
    root.setFloat('epsilon', epsilon);
  };
}
