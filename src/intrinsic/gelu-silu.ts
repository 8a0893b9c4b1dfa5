/** Smooth activations from their primitive forms: Gelu, and SiLU or the Sigmoid in it. */
import type { Node } from '../graph/node.ts';
import type { Surroundings } from './pass.ts';
import {
  become,
  exposed,
  formulaAbove,
  isPolynomial,
  operandsOf,
  polynomialOf,
  patternPass,
  scalarOf,
  unfit,
  type Rewrite,
  type NeedsOpset,
  type Terms,
} from './pattern.ts';
import { own } from '../graph/names.ts';

/**
 * Gelu: ½x(1 + erf(x/√2)), and the approximation ½x(1 + tanh(√(2/π)(x + 0.044715x³))). The kernel and the formula differ by at
 * most 2^-20 · |x|.
 */
export const gelu = patternPass('gelu', 'Gelu written with Erf or Tanh becomes Gelu (from opset 20 on)', matchGelu);

const slope = Math.sqrt(2 / Math.PI);

interface Form {
  readonly argument: Terms;
  readonly text: string;
  readonly approximate: 'none' | 'tanh';
}

const forms: Readonly<Record<string, Form>> = {
  Erf: { argument: { x: Math.SQRT1_2 }, text: 'x/√2', approximate: 'none' },
  Tanh: { argument: { x: slope, xxx: slope * 0.044715 }, text: '√(2/π)(x + 0.044715x³)', approximate: 'tanh' },
};

function matchGelu(node: Node, { opset, facts }: Surroundings): Rewrite | NeedsOpset | string | undefined {
  const form = node.domain === '' ? own(forms, node.opType) : undefined;
  const [y, t] = [node.input(0), node.output()];
  if (!form || !y || !t) return undefined;
  const polynomials = operandsOf(y).flatMap((x) => {
    const argument = polynomialOf(y, { x });
    return argument ? [{ x, argument }] : [];
  });
  const found = polynomials.find(({ argument }) => isPolynomial(argument, form.argument));
  if (!found) {
    // Any Tanh of a cubic was meant to be a Gelu, and so was any Erf.
    const meant = node.is('Erf') || polynomials.some(({ argument: { terms } }) => terms.size === 2 && terms.has('xxx'));
    return meant ? `its argument is not ${form.text}` : undefined;
  }
  const { x, argument } = found;
  const formula = formulaAbove(t, x, { x: 0.5, tx: 0.5 });
  if (!formula) return `its result t does not go into ½x(1 + t) with x = '${x.name}'`;
  const { root } = formula;
  const nodes = new Set([...argument.nodes, node, ...formula.nodes]);
  const reason = exposed(nodes, root) ?? unfit(x, Math.max(argument.rank, formula.rank), facts);
  if (reason !== undefined) return reason;
  if (opset < 20) return { opType: 'Gelu', opset: 20 };
  const apply = (): void => {
    become(root, 'Gelu', [x]);
    if (form.approximate !== 'none') root.setString('approximate', form.approximate);
  };
  return { nodes, root, apply };
}

/**
 * SiLU and its gate: v / (1 + exp(-x)) becomes v · Sigmoid(x), and 1 / (1 + exp(-x)) Sigmoid(x): the form of SiLU and of gates that runtimes have
 * int8 kernels for. (ONNX has an operator for SiLU, Swish, only from opset 24 on.) The kernel of Sigmoid is within
 * 2^-21 of the formula.
 */
export const silu = patternPass(
  'silu',
  'x / (1 + exp(-x)) becomes x · Sigmoid(x), and 1 / (1 + exp(-x)) Sigmoid(x)',
  matchSigmoid,
);

function matchSigmoid(exp: Node, { facts }: Surroundings): Rewrite | string | undefined {
  const [y, t] = [exp.input(0), exp.output()];
  if (!exp.is('Exp') || !y || !t) return undefined;
  for (const x of operandsOf(y)) {
    const argument = polynomialOf(y, { x });
    if (!argument || !isPolynomial(argument, { x: -1 })) continue;
    const sum = formulaAbove(t, x, { '': 1, t: 1 });
    const divisor = sum?.root.output();
    const root = divisor && [...divisor.users.keys()].find((user) => divides(user, divisor));
    // Others, such as log(1 + exp(-x)), are no sigmoid.
    if (!sum || !root) return undefined;
    const nodes = new Set([...argument.nodes, exp, ...sum.nodes, root]);
    const numerator = root.is('Div') ? root.input(0)! : undefined;
    const isOne = scalarOf(numerator) === 1;
    const rank = Math.max(argument.rank, sum.rank, isOne ? numerator!.dims!.length : 0);
    const reason = exposed(nodes, root) ?? unfit(x, rank, facts);
    if (reason !== undefined) return reason;
    const apply = (): void => {
      if (!numerator || isOne) return become(root, 'Sigmoid', [x]);
      become(sum.root, 'Sigmoid', [x]);
      become(root, 'Mul', [numerator, divisor]);
    };
    return { nodes, root, apply };
  }
  return undefined;
}

function divides(node: Node, divisor: NonNullable<ReturnType<Node['input']>>): boolean {
  if (node.is('Reciprocal')) return true;
  return node.is('Div') && node.input(1) === divisor && node.input(0) !== divisor;
}
