/**
 * Two constants added one after the other are one constant, and so are two that multiply: Add and Sub compute c + x or
 * c - x, Mul and Div c · x or c / x, and two of a kind are one more of that kind.
 */
import type { Node } from '../graph/node.ts';
import { elementCount } from '../onnx/data-types.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { constantOperand, type ConstantOperand } from './affine.ts';
import { absorb, doubles, fits, neededElsewhere, roundTo, setConstant, type FloatType } from './edit.ts';
import type { Pass } from './pass.ts';

export const affinePairs: Pass = {
  name: 'affine-pairs',
  summary: 'constants that are added, or multiplied, one after the other become one',
  run(model, context) {
    let changed = false;
    for (const second of model.allNodes()) {
      const outer = stepOf(second, model.opset);
      const inner = outer?.x.producer && stepOf(outer.x.producer, model.opset);
      if (!outer || !inner || outer.kind !== inner.kind) continue;
      const labels = [inner.node.label, second.label] as const;
      const reason = merge(inner, outer);
      if (reason === undefined) context.applied(labels, labels[0]);
      else context.refused(labels[1], reason);
      changed ||= reason === undefined;
    }
    return changed;
  },
};

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
