/** Concat: each input keeps its own scale; the int8 kernel rescales. A common scale would cost accuracy and block Relu. */
import { follow, type OpSpec } from './op.ts';

export const concat: OpSpec = {
  types: ['Concat'],
  quantize: (node) => follow({ kind: 'observe' }, [...node.inputs.keys()]),
};
