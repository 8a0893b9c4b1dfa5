/** Joins of two activations (or one and a constant): both sides and the result are quantized. */
import { follow, type OpSpec } from './op.ts';

export const elementwise: OpSpec = {
  types: ['Add', 'Mul'],
  quantize: (node) => ({ ...follow({ kind: 'observe' }, [0, 1]), ...(node.is('Add') && { sum: true }) }),
};
