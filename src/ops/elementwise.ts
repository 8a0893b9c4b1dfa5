/** Joins of two activations (or one and a constant): both sides and the result are quantized. */
import { follow, type OpSpec } from './op.ts';

export const elementwise: OpSpec = {
  types: ['Add', 'Mul'],
  quantize: () => follow({ kind: 'observe' }, [0, 1]),
};
