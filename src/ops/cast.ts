/** Operators that hand their input on: Cast between float types, and Dropout, which does nothing at inference. */
import { dyOf, give, type GradientContext } from './gradient/context.ts';
import type { OpSpec } from './op.ts';

export const cast: OpSpec = {
  types: ['Cast'],
  gradient(context: GradientContext) {
    give(context, 0, () => dyOf(context));
  },
};

/** With `training_mode` the mask is another output of the node, and what passed it was scaled by 1 / (1 - ratio). */
export const dropout: OpSpec = {
  types: ['Dropout'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const mode = node.input(2);
    if (mode && !node.constant(2)) return 'whether it trains is decided at run time';
    if (!mode || node.constant(2)!.ints()[0] === 0) return give(context, 0, () => dyOf(context));
    const ratio = node.input(1) ? node.constant(1)?.floats()[0] : 0.5;
    if (ratio === undefined) return 'its ratio is computed at run time';
    give(context, 0, () => {
      const mask = node.output(1) ?? node.graph!.addValue(`${node.label}_mask`);
      if (!node.output(1)) node.setOutput(1, mask);
      const scaled = emit.op('Mul', [dyOf(context), emit.scalar(1 / (1 - ratio))]);
      return emit.op('Where', [mask, scaled, emit.scalar(0)]);
    });
    return undefined;
  },
};
