/** Running sums and triangles of matrices: products with fixed triangular matrices, whose transposes give the gradients. */
import { dyOf, give, type GradientContext } from './gradient/context.ts';
import type { OpSpec } from './op.ts';

export const cumSum: OpSpec = {
  types: ['CumSum'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [reverse, exclusive] = [1 - node.int('reverse', 0), node.int('exclusive', 0)];
    give(context, 0, () => emit.op('CumSum', [dyOf(context), node.input(1)!], { reverse, exclusive }));
  },
};

export const trilu: OpSpec = {
  types: ['Trilu'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, () => emit.op('Trilu', [dyOf(context), ...node.inputs.slice(1)], { upper: node.int('upper', 1) }));
  },
};
