/** MatMul: constant weights on the right, or two activations (attention). */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import type { Operand, OpSpec } from './op.ts';

function weight(_node: Node, rank: number): Operand {
  return rank === 2 ? { index: 1, role: 'weight', axis: 1, layout: 'columns' } : { index: 1, role: 'weight' };
}

export const matmul: OpSpec = {
  types: ['MatMul'],
  weight,
  learnable: () => [0, 1],
  quantize(node: Node) {
    const constant = node.constant(1);
    return {
      kind: 'anchor',
      operands: [
        { index: 0, role: 'activation' },
        constant ? weight(node, constant.dims.length) : { index: 1, role: 'activation' },
      ],
      output: { kind: 'observe' },
      floatOutput: true,
    };
  },
  /** dA = dy·Bᵀ, dB = Aᵀ·dy, summed over the batch axes along which the operand was repeated. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [a, b] = [node.input(0)!, node.input(1)!];
    const [aDims, bDims, dims] = [staticDims(a), staticDims(b), staticDims(node.output()!)];
    // A vector is a matrix of one row (left) or one column (right) whose axis is dropped from the result.
    const [left, right] = [aDims.length === 1 ? [1, ...aDims] : aDims, bDims.length === 1 ? [...bDims, 1] : bDims];
    const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
    const batch = dims.slice(0, dims.length - Number(aDims.length > 1) - Number(bDims.length > 1));
    const full = [...batch, m, n];
    const shaped = (value: Value, from: readonly number[], to: readonly number[]): Value => {
      return from.length === to.length ? value : emit.reshape(value, to);
    };
    const dy = (): Value => shaped(dyOf(context), dims, full);
    give(context, 0, () => {
      const other = emit.swapLast(shaped(b, bDims, right), right.length);
      const gradient = emit.unbroadcast(emit.op('MatMul', [dy(), other]), [...batch, m, k], left);
      return shaped(gradient, left, aDims);
    });
    give(context, 1, () => {
      // A weight matrix for many rows: one long product instead of many short ones and their sum.
      if (right.length === 2 && batch.length > 0 && left.length === full.length) {
        const rows = elementCount(batch) * m;
        const [x, flat] = [emit.reshape(a, [rows, k]), emit.reshape(dy(), [rows, n])];
        return shaped(emit.op('Gemm', [x, flat], { transA: 1 }), right, bDims);
      }
      const other = emit.swapLast(shaped(a, aDims, left), left.length);
      const gradient = emit.unbroadcast(emit.op('MatMul', [other, dy()]), [...batch, k, n], right);
      return shaped(gradient, right, bDims);
    });
  },
};
