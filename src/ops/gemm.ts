/** Gemm: A in u8, constant B in s8 with a scale per output column, constant C as int32 bias. */
import type { Node } from '../graph/node.ts';
import type { Operand, OpSpec } from './op.ts';

function weight(node: Node): Operand {
  const transposed = node.int('transB', 0) !== 0;
  return { index: 1, role: 'weight', axis: transposed ? 0 : 1, layout: transposed ? 'rows' : 'columns' };
}

export const gemm: OpSpec = {
  types: ['Gemm'],
  weight,
  quantize(node: Node) {
    if (node.int('transA', 0) !== 0) return 'its first operand is transposed (transA = 1)';
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
};
