/** MatMul: constant weights on the right, or two activations (attention). */
import type { Node } from '../graph/node.ts';
import type { Operand, OpSpec } from './op.ts';

function weight(_node: Node, rank: number): Operand {
  return rank === 2 ? { index: 1, role: 'weight', axis: 1, layout: 'columns' } : { index: 1, role: 'weight' };
}

export const matmul: OpSpec = {
  types: ['MatMul'],
  weight,
  quantize(node: Node) {
    const constant = node.constant(1);
    // onnxruntime rewrites MatMul + Add to a float Gemm unless the product is quantized in between.
    const feedsAdd = [...(node.output()?.users.keys() ?? [])].some((user) => user.is('Add'));
    return {
      kind: 'anchor',
      operands: [
        { index: 0, role: 'activation' },
        constant ? weight(node, constant.dims.length) : { index: 1, role: 'activation' },
      ],
      output: { kind: 'observe' },
      floatOutput: !feedsAdd,
    };
  },
};
