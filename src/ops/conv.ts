/** Conv and ConvTranspose: u8 activations × s8 weights, one weight scale per output channel, int32 bias. */
import type { Node } from '../graph/node.ts';
import type { Operand, OpSpec } from './op.ts';

/** ConvTranspose stores [Cin, Cout/group, ...]; with groups a scale per Cout/group would be shared by unlike channels. */
function weight(node: Node): Operand {
  if (node.opType === 'Conv') return { index: 1, role: 'weight', axis: 0, layout: 'conv' };
  return { index: 1, role: 'weight', ...(node.int('group', 1) === 1 ? { axis: 1 } : {}) };
}

export const conv: OpSpec = {
  types: ['Conv', 'ConvTranspose'],
  weight,
  quantize(node: Node) {
    if (!node.constant(1)) return 'its weight is computed at run time';
    const operands: Operand[] = [{ index: 0, role: 'activation' }, weight(node)];
    if (node.input(2)) {
      if (!node.constant(2)) return 'its bias is computed at run time';
      operands.push({ index: 2, role: 'bias' });
    }
    return { kind: 'anchor', operands, output: { kind: 'observe' } };
  },
};
