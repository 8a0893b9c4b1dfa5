/** Gemm: A in u8 (transposed or not), constant B in s8 with a scale per output column, constant C as int32 bias. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dyOf, give, giveBroadcast, type GradientContext } from './gradient/context.ts';
import type { Operand, OpSpec } from './op.ts';

function weight(node: Node): Operand {
  const transposed = node.int('transB', 0) !== 0;
  return { index: 1, role: 'weight', axis: transposed ? 0 : 1, layout: transposed ? 'rows' : 'columns' };
}

export const gemm: OpSpec = {
  types: ['Gemm'],
  weight,
  learnable: () => [1, 2],
  quantize(node: Node) {
    const matrix = node.constant(1);
    if (!matrix) return 'its weight is computed at run time';
    if (node.float('alpha', 1) !== 1) return `its alpha is ${node.float('alpha')}, not 1`;
    const operands: Operand[] = [{ index: 0, role: 'activation' }, weight(node)];
    if (node.input(2)) {
      const bias = node.constant(2);
      if (!bias) return 'its bias is computed at run time';
      if (node.float('beta', 1) !== 1) return `its beta is ${node.float('beta')}, not 1`;
      if (bias.size !== matrix.dims[operands[1]!.axis!]) {
        return `its bias of shape [${bias.dims.join(', ')}] is not one value per column`;
      }
      operands.push({ index: 2, role: 'bias' });
    }
    return { kind: 'anchor', operands, output: { kind: 'observe' }, floatOutput: true };
  },
  /** y = α·A'·B' + β·C, where ' transposes or does not: dA' = α·dy·B'ᵀ, dB' = α·A'ᵀ·dy, dC = β·Σ dy. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [a, b, dy] = [node.input(0)!, node.input(1)!, dyOf(context)];
    const [transA, transB] = [node.int('transA', 0), node.int('transB', 0)];
    const alpha = { float: node.float('alpha', 1) };
    const product = (left: Value, right: Value, transLeft: number, transRight: number): Value => {
      return emit.op('Gemm', [left, right], { alpha, transA: transLeft, transB: transRight });
    };
    give(context, 0, () => (transA ? product(b, dy, transB, 1) : product(dy, b, 0, 1 - transB)));
    give(context, 1, () => (transB ? product(dy, a, 1, transA) : product(a, dy, 1 - transA, 0)));
    const beta = node.float('beta', 1);
    giveBroadcast(context, 2, () => (beta === 1 ? dy : emit.op('Mul', [dy, emit.scalar(beta)])));
  },
};
