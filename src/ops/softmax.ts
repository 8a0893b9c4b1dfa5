/** Softmax and its logarithm, over one axis. */
import { dyOf, give, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import { follow, type OpSpec } from './op.ts';

const axisOf = ({ node }: GradientContext): number => {
  return wrapAxis(node.int('axis', -1), staticDims(node.output()!).length);
};

/**
 * dx = y · (dy − Σ dy·y). Its values lie within 0..1 but seldom fill it: over hundreds of tokens the largest may be a hundredth.
 * A kernel that insists on 0..1 is a matter of its target (`fixed` in backends/targets).
 */
export const softmax: OpSpec = {
  types: ['Softmax'],
  quantize: () => follow({ kind: 'observe', within: { min: 0, max: 1 } }, [0]),
  gradient(context) {
    const { node, emit } = context;
    const [y, dy] = [node.output()!, dyOf(context)];
    give(context, 0, () => {
      const mean = emit.sum(emit.op('Mul', [dy, y]), [axisOf(context)], true);
      return emit.op('Mul', [y, emit.op('Sub', [dy, mean])]);
    });
  },
};

/** dx = dy − softmax · Σ dy. */
export const logSoftmax: OpSpec = {
  types: ['LogSoftmax'],
  gradient(context) {
    const { node, emit } = context;
    const dy = dyOf(context);
    give(context, 0, () => {
      const total = emit.sum(dy, [axisOf(context)], true);
      return emit.op('Sub', [dy, emit.op('Mul', [emit.op('Exp', [node.output()!]), total])]);
    });
  },
};
