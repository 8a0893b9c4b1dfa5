/**
 * Reductions over axes, whose gradients are spread back over the axes by broadcasting; and running sums and triangles of matrices (CumSum,
 * Trilu), which are products with fixed triangular matrices, so that the transposed ones give their gradients.
 */
import { dyOf, give, type GradientContext, axesOf, staticDims } from './gradient/context.ts';
import { type OpSpec, follow } from './op.ts';
import type { Emitter } from '../graph/emitter.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';

interface Reduced {
  readonly emit: Emitter;
  readonly x: Value;
  /** The result and its gradient, with the reduced axes as axes of one element. */
  readonly y: Value;
  readonly dy: Value;
  readonly axes: readonly number[];
  /** Elements that one result was made of. */
  readonly count: number;
}

/** @param spread the gradient of x, or something that broadcasts to it */
function reduction(types: readonly string[], spread: (reduced: Reduced) => Value): OpSpec {
  return {
    types,
    gradient(context: GradientContext) {
      const { node, emit } = context;
      const x = node.input(0)!;
      const dims = staticDims(x);
      const axes = reducedAxes(node, dims.length);
      if (typeof axes === 'string') return axes;
      const kept = dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
      const whole = (value: Value): Value => (node.int('keepdims', 1) === 1 ? value : emit.reshape(value, kept));
      const count = elementCount(dims) / elementCount(kept);
      give(context, 0, () => {
        const gradient = spread({ emit, x, y: whole(node.output()!), dy: whole(dyOf(context)), axes, count });
        // Where nothing of x took part, the gradient still has the shape of one result.
        return emit.op('Expand', [gradient, emit.ints(dims)]);
      });
      return undefined;
    },
  };
}

function reducedAxes(node: Node, rank: number): number[] | string {
  const axes = axesOf(node, 1, rank);
  if (typeof axes === 'string' || (axes && axes.length > 0)) return axes!;
  return node.int('noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

/** ReduceMean: an average has a narrower range than its input: a scale of its own keeps more of it. */
const reduceMean: OpSpec = {
  ...reduction(['ReduceMean'], ({ emit, dy, count }) => emit.op('Mul', [dy, emit.scalar(1 / count)])),
  quantize: () => follow({ kind: 'observe' }, [0]),
};

/** The gradient goes to the elements that equal the extreme; equal ones share it (as torch.amax). */
const extreme = reduction(['ReduceMax', 'ReduceMin'], ({ emit, x, y, dy, axes }) => {
  const chosen = emit.op('Cast', [emit.op('Equal', [x, y])], { to: 1 });
  return emit.op('Mul', [chosen, emit.op('Div', [dy, emit.sum(chosen, axes, true)])]);
});

export const reductions: readonly OpSpec[] = [
  reduceMean,
  reduction(['ReduceSum'], ({ dy }) => dy),
  extreme,
  reduction(['ReduceL1'], ({ emit, x, dy }) => emit.op('Mul', [emit.op('Sign', [x]), dy])),
  /** x / y, and 0 where all elements are 0. */
  reduction(['ReduceL2'], ({ emit, x, y, dy }) => {
    const zero = emit.scalar(0);
    const some = emit.op('Greater', [y, zero]);
    const quotient = emit.op('Div', [dy, emit.op('Where', [some, y, emit.scalar(1)])]);
    return emit.op('Mul', [x, quotient]);
  }),
  reduction(['ReduceSumSquare'], ({ emit, x, dy }) => emit.op('Mul', [x, emit.op('Mul', [dy, emit.scalar(2)])])),
  reduction(['ReduceLogSum'], ({ emit, y, dy }) => emit.op('Div', [dy, emit.op('Exp', [y])])),
  reduction(['ReduceLogSumExp'], ({ emit, x, y, dy }) =>
    emit.op('Mul', [dy, emit.op('Exp', [emit.op('Sub', [x, y])])]),
  ),
];

/** CumSum: the gradient is the running sum from the other end. */
export const cumSum: OpSpec = {
  types: ['CumSum'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [reverse, exclusive] = [1 - node.int('reverse', 0), node.int('exclusive', 0)];
    give(context, 0, () => emit.op('CumSum', [dyOf(context), node.input(1)!], { reverse, exclusive }));
  },
};

/** Trilu, which keeps one triangle: the gradient keeps the same one. */
export const trilu: OpSpec = {
  types: ['Trilu'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, () => emit.op('Trilu', [dyOf(context), ...node.inputs.slice(1)], { upper: node.int('upper', 1) }));
  },
};
