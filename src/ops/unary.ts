/** Functions of one number whose gradient is dy times a factor, made of the input x or the result y. */
import type { Emitter } from '../graph/emitter.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dyOf, give } from './gradient/context.ts';
import { island, type OpSpec } from './op.ts';

interface Point {
  readonly emit: Emitter;
  readonly node: Node;
  readonly x: Value;
  readonly y: Value;
}

/** The gradient of a function from its derivative. */
function derivative(type: string, factor: (point: Point) => Value): OpSpec {
  return {
    types: [type],
    gradient(context) {
      const { node, emit } = context;
      give(context, 0, (x) => emit.op('Mul', [dyOf(context), factor({ emit, node, x, y: node.output()! })]));
    },
  };
}

/** The gradient of a function from a last step that dy takes itself. */
function step(type: string, apply: (dy: Value, point: Point) => Value): OpSpec {
  return {
    types: [type],
    gradient(context) {
      const { node, emit } = context;
      give(context, 0, (x) => apply(dyOf(context), { emit, node, x, y: node.output()! }));
    },
  };
}

const { PI, sqrt } = Math;

/** φ, the density of the normal distribution. */
function normalDensity(emit: Emitter, x: Value): Value {
  const half = emit.op('Mul', [emit.op('Mul', [x, x]), emit.scalar(-0.5)]);
  return emit.op('Mul', [emit.op('Exp', [half]), emit.scalar(1 / sqrt(2 * PI))]);
}

/** Φ(x) + x·φ(x), or the derivative of the tanh form. */
function geluDerivative({ emit, node, x }: Point): Value {
  const one = emit.scalar(1);
  const half = emit.scalar(0.5);
  if (node.string('approximate', 'none') === 'none') {
    const erf = emit.op('Erf', [emit.op('Mul', [x, emit.scalar(sqrt(0.5))])]);
    const phi = emit.op('Mul', [emit.op('Add', [erf, one]), half]);
    return emit.op('Add', [phi, emit.op('Mul', [x, normalDensity(emit, x)])]);
  }
  // y = x/2 · (1 + t), t = tanh(u), u = √(2/π) · (x + c·x³).
  const [k, c] = [sqrt(2 / PI), 0.044715];
  const square = emit.op('Mul', [x, x]);
  const inner = (cubic: number): Value => {
    return emit.op('Mul', [emit.op('Add', [emit.op('Mul', [square, emit.scalar(cubic)]), one]), emit.scalar(k)]);
  };
  const t = emit.op('Tanh', [emit.op('Mul', [x, inner(c)])]);
  const dt = emit.op('Mul', [emit.op('Sub', [one, emit.op('Mul', [t, t])]), inner(3 * c)]);
  return emit.op('Mul', [emit.op('Add', [emit.op('Add', [t, one]), emit.op('Mul', [x, dt])]), half]);
}

/** alpha · eˣ = y + alpha below 0; a kink at 0 belongs to the upper side. */
function expBelowZero(gamma: (node: Node) => number, alpha: (node: Node) => number) {
  return ({ emit, node, x, y }: Point): Value => {
    const [slope, level] = [gamma(node), alpha(node) * gamma(node)];
    const below = emit.op('Add', [y, emit.scalar(level)]);
    return emit.op('Where', [emit.op('Less', [x, emit.scalar(0)]), below, emit.scalar(slope)]);
  };
}

/** σ(x) + x·σ'(x) and its like: the derivative of x·g(x) needs g and g'. */
const sigmoidOf = (emit: Emitter, x: Value): Value => emit.op('Sigmoid', [x]);

export const unary: readonly OpSpec[] = [
  step('Neg', (dy, { emit }) => emit.op('Neg', [dy])),
  step('Reciprocal', (dy, { emit, y }) => emit.op('Neg', [emit.op('Mul', [dy, emit.op('Mul', [y, y])])])),
  step('Sqrt', (dy, { emit, y }) => emit.op('Div', [dy, emit.op('Mul', [y, emit.scalar(2)])])),
  step('Log', (dy, { emit, x }) => emit.op('Div', [dy, x])),
  derivative('Exp', ({ y }) => y),
  /** 0 at 0. */
  derivative('Abs', ({ emit, x }) => emit.op('Sign', [x])),
  derivative('Erf', ({ emit, x }) => {
    return emit.op('Mul', [emit.op('Exp', [emit.op('Neg', [emit.op('Mul', [x, x])])]), emit.scalar(2 / sqrt(PI))]);
  }),
  derivative('Sin', ({ emit, x }) => emit.op('Cos', [x])),
  derivative('Cos', ({ emit, x }) => emit.op('Neg', [emit.op('Sin', [x])])),
  {
    ...derivative('Tanh', ({ emit, y }) => emit.op('Sub', [emit.scalar(1), emit.op('Mul', [y, y])])),
    quantize: (node) => island(node, { kind: 'fixed', range: { min: -1, max: 1 } }, [0]),
  },
  derivative('Softplus', ({ emit, x }) => sigmoidOf(emit, x)),
  derivative('Softsign', ({ emit, x }) => {
    const base = emit.op('Add', [emit.op('Abs', [x]), emit.scalar(1)]);
    return emit.op('Reciprocal', [emit.op('Mul', [base, base])]);
  }),
  derivative(
    'Elu',
    expBelowZero(
      () => 1,
      (node) => node.float('alpha', 1),
    ),
  ),
  derivative(
    'Selu',
    expBelowZero(
      (node) => node.float('gamma', 1.0507009873554805),
      (node) => node.float('alpha', 1.6732632423543772),
    ),
  ),
  derivative('Celu', ({ emit, node, x }) => {
    const below = emit.op('Exp', [emit.op('Mul', [x, emit.scalar(1 / node.float('alpha', 1))])]);
    return emit.op('Where', [emit.op('Less', [x, emit.scalar(0)]), below, emit.scalar(1)]);
  }),
  derivative('Gelu', geluDerivative),
  /** y = x · tanh(softplus(x)). */
  derivative('Mish', ({ emit, x }) => {
    const t = emit.op('Tanh', [emit.op('Softplus', [x])]);
    const slope = emit.op('Mul', [emit.op('Sub', [emit.scalar(1), emit.op('Mul', [t, t])]), sigmoidOf(emit, x)]);
    return emit.op('Add', [t, emit.op('Mul', [x, slope])]);
  }),
  step('Identity', (dy) => dy),
];
