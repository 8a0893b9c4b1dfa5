/**
 * Elementwise operators that broadcast (arithmetic, extremes, selection), and those that hand their input on: Cast between float types, and
 * Dropout, which does nothing at inference. Of Add and Mul both sides and the result are quantized.
 */
import { dyOf, give, type GradientContext, giveBroadcast } from './gradient/context.ts';
import { type OpSpec, follow, island } from './op.ts';
import type { Value } from '../graph/value.ts';

/** A constant of several numbers is a bias or a factor per channel; a single one belongs to the formula. */
const factors: OpSpec['learnable'] = (node) => [0, 1].filter((index) => (node.constant(index)?.size ?? 0) > 1);

export const add: OpSpec = {
  types: ['Add'],
  learnable: factors,
  quantize: () => ({ ...follow({ kind: 'observe' }, [0, 1]), sum: true }),
  gradient(context) {
    giveBroadcast(context, 0, () => dyOf(context));
    giveBroadcast(context, 1, () => dyOf(context));
  },
};

export const mul: OpSpec = {
  types: ['Mul'],
  learnable: factors,
  quantize: () => follow({ kind: 'observe' }, [0, 1]),
  gradient(context) {
    const { node, emit } = context;
    giveBroadcast(context, 0, () => emit.op('Mul', [dyOf(context), node.input(1)!]));
    giveBroadcast(context, 1, () => emit.op('Mul', [dyOf(context), node.input(0)!]));
  },
};

export const sub: OpSpec = {
  types: ['Sub'],
  quantize: (node) => island(node, { kind: 'observe' }, [0, 1]),
  gradient(context) {
    giveBroadcast(context, 0, () => dyOf(context));
    giveBroadcast(context, 1, () => context.emit.op('Neg', [dyOf(context)]));
  },
};

/** d/da = dy / b, d/db = −dy · y / b. */
export const div: OpSpec = {
  types: ['Div'],
  quantize: (node) => island(node, { kind: 'observe' }, [0, 1]),
  gradient(context) {
    const { node, emit } = context;
    const b = node.input(1)!;
    const quotient = (value: Value): Value => emit.op('Div', [value, b]);
    giveBroadcast(context, 0, () => quotient(dyOf(context)));
    giveBroadcast(context, 1, () => emit.op('Neg', [quotient(emit.op('Mul', [dyOf(context), node.output()!]))]));
  },
};

/** d/da = dy · b · a^(b−1), d/db = dy · y · ln a, which is 0 at a = 0 (as in PyTorch). */
export const pow: OpSpec = {
  types: ['Pow'],
  gradient(context) {
    const { node, emit } = context;
    const [a, b, dy] = [node.input(0)!, node.input(1)!, dyOf(context)];
    const exponent = node.constant(1)?.floats();
    giveBroadcast(context, 0, () => {
      if (exponent?.every((n) => n === 2)) return emit.op('Mul', [dy, emit.op('Mul', [a, emit.scalar(2)])]);
      const power = emit.op('Cast', [b], { to: 1 });
      const lower = emit.op('Pow', [a, emit.op('Sub', [power, emit.scalar(1)])]);
      return emit.op('Mul', [dy, emit.op('Mul', [lower, power])]);
    });
    giveBroadcast(context, 1, () => {
      const positive = emit.op('Greater', [a, emit.scalar(0)]);
      const log = emit.op('Log', [emit.op('Where', [positive, a, emit.scalar(1)])]);
      return emit.op('Mul', [dy, emit.op('Mul', [node.output()!, log])]);
    });
  },
};

export const sumOfMany: OpSpec = {
  types: ['Sum'],
  gradient(context) {
    for (const index of context.node.inputs.keys()) giveBroadcast(context, index, () => dyOf(context));
  },
};

export const meanOfMany: OpSpec = {
  types: ['Mean'],
  gradient(context) {
    const { node, emit } = context;
    const share = (): Value => emit.op('Mul', [dyOf(context), emit.scalar(1 / node.inputs.length)]);
    for (const index of node.inputs.keys()) giveBroadcast(context, index, share);
  },
};

/** The gradient goes to the chosen input; where several are equal each takes its share (as torch.max of two tensors). */
export const extremeOfMany: OpSpec = {
  types: ['Max', 'Min'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const y = node.output()!;
    const inputs = node.inputs.filter((value) => value !== null);
    if (inputs.length === 1) return give(context, 0, () => dyOf(context));
    const chosen = inputs.map((x) => emit.op('Cast', [emit.op('Equal', [x, y])], { to: 1 }));
    const share = emit.op('Div', [dyOf(context), emit.op('Sum', chosen)]);
    for (const index of inputs.keys()) {
      giveBroadcast(context, index, () => emit.op('Mul', [share, chosen[index]!]));
    }
    return undefined;
  },
};

/** Selection by a mask, of two activations each with its own scale. */
export const where: OpSpec = {
  types: ['Where'],
  quantize: () => follow({ kind: 'observe' }, [1, 2]),
  gradient(context) {
    const { node, emit } = context;
    const [mask, dy, zero] = [node.input(0)!, dyOf(context), emit.scalar(0)];
    giveBroadcast(context, 1, () => emit.op('Where', [mask, dy, zero]));
    giveBroadcast(context, 2, () => emit.op('Where', [mask, zero, dy]));
  },
};

/** Cast between float types hands its input on. */
export const cast: OpSpec = {
  types: ['Cast'],
  gradient(context: GradientContext) {
    give(context, 0, () => dyOf(context));
  },
};

/** Dropout: with `training_mode` the mask is another output of the node, and what passed it was scaled by 1 / (1 - ratio). */
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
