/** Concat: each input keeps its own scale; the int8 kernel rescales. A common scale would cost accuracy and block Relu. */
import { dyOf, give, staticDims, wrapAxis } from './gradient/context.ts';
import { follow, type OpSpec } from './op.ts';

export const concat: OpSpec = {
  types: ['Concat'],
  quantize: (node) => follow({ kind: 'observe' }, [...node.inputs.keys()]),
  gradient(context) {
    const { node, emit } = context;
    const axis = wrapAxis(node.int('axis', 0), staticDims(node.output()!).length);
    let start = 0;
    for (const [index, input] of node.inputs.entries()) {
      const from = start;
      start += staticDims(input!)[axis]!;
      const end = start;
      give(context, index, () =>
        node.inputs.length === 1 ? dyOf(context) : emit.slice(dyOf(context), [axis], [from], [end]),
      );
    }
  },
};
