/**
 * Activations that limit, bend or normalize: Relu and its kin, Clip, Sigmoid, HardSigmoid, HardSwish, Softmax and LogSoftmax. Relu and Clip
 * vanish into the quantizer of the node before them where they can. Smooth functions of one number are in unary.ts.
 */
import { dyOf, give, staticDims, wrapAxis, type GradientContext, giveBroadcast } from './gradient/context.ts';
import { follow, type OpSpec, island, type Interval } from './op.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

/** Relu: at the kink of 0 the gradient is 0, as in PyTorch. */
export const relu: OpSpec = {
  types: ['Relu'],
  quantize: () => follow({ kind: 'observe' }, [0]),
  clamp: () => ({ min: 0, max: Infinity }),
  gradient(context) {
    const { node, emit } = context;
    const positive = (): Value => emit.op('Greater', [node.output()!, emit.scalar(0)]);
    give(context, 0, () => emit.op('Where', [positive(), dyOf(context), emit.scalar(0)]));
  },
};

/** Clip: the gradient passes where the input is within its limits, these included (as torch.clamp); the rest goes to the limit. */
export const clip: OpSpec = {
  types: ['Clip'],
  quantize: (node) => (clipInterval(node) ? follow({ kind: 'observe' }, [0]) : 'its limits are computed at run time'),
  clamp: clipInterval,
  gradient(context) {
    const { node, emit } = context;
    const [x, min, max] = [node.input(0)!, node.input(1), node.input(2)];
    const dy = dyOf(context);
    const only = (mask: Value): Value => emit.op('Where', [mask, dy, emit.scalar(0)]);
    const total = (mask: Value): Value => emit.op('ReduceSum', [only(mask)], { keepdims: 0 });
    give(context, 0, () => only(emit.op('Equal', [x, node.output()!])));
    give(context, 1, () => total(emit.op('Less', [x, min!])));
    give(context, 2, () => total(emit.op('Greater', [x, max!])));
  },
};

/** Limits were attributes before opset 11 and are inputs since. */
function clipInterval(node: Node): Interval | undefined {
  const limit = (index: number, name: string, fallback: number): number | undefined => {
    if (!node.input(index)) return node.float(name, fallback);
    return node.constant(index)?.floats()[0];
  };
  const min = limit(1, 'min', -Infinity);
  const max = limit(2, 'max', Infinity);
  return min === undefined || max === undefined ? undefined : { min, max };
}

export const leakyRelu: OpSpec = {
  types: ['LeakyRelu'],
  quantize: () => follow({ kind: 'observe' }, [0]),
  gradient(context) {
    const { node, emit } = context;
    const dy = dyOf(context);
    const steep = (): Value => emit.op('Mul', [dy, emit.scalar(node.float('alpha', 0.01))]);
    give(context, 0, (x) => emit.op('Where', [emit.op('Less', [x, emit.scalar(0)]), steep(), dy]));
  },
};

export const prelu: OpSpec = {
  types: ['PRelu'],
  learnable: () => [1],
  quantize: (node) => island(node, { kind: 'observe' }, [0]),
  gradient(context) {
    const { node, emit } = context;
    const [x, slope] = [node.input(0)!, node.input(1)!];
    const dy = dyOf(context);
    const negative = emit.op('Less', [x, emit.scalar(0)]);
    give(context, 0, () => emit.op('Where', [negative, emit.op('Mul', [dy, slope]), dy]));
    giveBroadcast(context, 1, () => emit.op('Where', [negative, emit.op('Mul', [dy, x]), emit.scalar(0)]));
  },
};

/** ThresholdedRelu: x above alpha, else 0. */
export const thresholdedRelu: OpSpec = {
  types: ['ThresholdedRelu'],
  gradient(context) {
    const { node, emit } = context;
    const above = (x: Value): Value => emit.op('Greater', [x, emit.scalar(node.float('alpha', 1))]);
    give(context, 0, (x) => emit.op('Where', [above(x), dyOf(context), emit.scalar(0)]));
  },
};

const unit: Interval = { min: 0, max: 1 };

/** Sigmoid: its values fill 0..1 whatever the data, so the scale is 1/255, as in every other tool. */
export const sigmoid: OpSpec = {
  types: ['Sigmoid'],
  quantize: () => follow({ kind: 'fixed', range: unit }, [0]),
  gradient(context) {
    const { node, emit } = context;
    const y = node.output()!;
    give(context, 0, () => emit.op('Mul', [dyOf(context), emit.op('Mul', [y, emit.op('Sub', [emit.scalar(1), y])])]));
  },
};

/** dy where the result is inside 0..1. */
function insideUnit({ emit }: GradientContext, y: Value): Value {
  return emit.op('And', [emit.op('Greater', [y, emit.scalar(0)]), emit.op('Less', [y, emit.scalar(1)])]);
}

export const hardSigmoid: OpSpec = {
  types: ['HardSigmoid'],
  quantize: (node) => island(node, { kind: 'fixed', range: unit }, [0]),
  gradient(context) {
    const { node, emit } = context;
    const slope = (): Value => emit.op('Mul', [dyOf(context), emit.scalar(node.float('alpha', 0.2))]);
    give(context, 0, () => emit.op('Where', [insideUnit(context, node.output()!), slope(), emit.scalar(0)]));
  },
};

/** y = x · h(x) with h = HardSigmoid of slope 1/6: y' = h + x / 6 where h is inside 0..1, else h. */
export const hardSwish: OpSpec = {
  types: ['HardSwish'],
  quantize: (node) => island(node, { kind: 'observe' }, [0]),
  gradient(context) {
    const { emit } = context;
    give(context, 0, (x) => {
      const h = emit.op('HardSigmoid', [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });
      const bent = emit.op('Add', [h, emit.op('Mul', [x, emit.scalar(1 / 6)])]);
      return emit.op('Mul', [dyOf(context), emit.op('Where', [insideUnit(context, h), bent, h])]);
    });
  },
};

const axisOf = ({ node }: GradientContext): number => {
  return wrapAxis(node.int('axis', -1), staticDims(node.output()!).length);
};

/**
 * Softmax over one axis: dx = y · (dy − Σ dy·y). Its values lie within 0..1 but seldom fill it: over hundreds of tokens the largest may be a hundredth.
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

/** LogSoftmax over one axis: dx = dy − softmax · Σ dy. */
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
