/**
 * v / (1 + exp(-x)) becomes v · Sigmoid(x), and 1 / (1 + exp(-x)) Sigmoid(x): the form of SiLU and of gates that runtimes have
 * int8 kernels for. (ONNX has an operator for SiLU, Swish, only from opset 24 on.) The kernel of Sigmoid is within
 * 2^-21 of the formula.
 */
import type { Node } from '../graph/node.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Pass } from './pass.ts';
import {
  become,
  exposed,
  formulaAbove,
  isPolynomial,
  operandsOf,
  polynomialOf,
  rewriteEach,
  scalarOf,
  unfit,
  type Rewrite,
} from './pattern.ts';

export const silu: Pass = {
  name: 'silu',
  summary: 'x / (1 + exp(-x)) becomes x · Sigmoid(x), and 1 / (1 + exp(-x)) Sigmoid(x)',
  run(model, context) {
    const facts = createFacts();
    return rewriteEach(model, context, (node) => attempt(node, facts));
  },
};

function attempt(exp: Node, facts: Facts): Rewrite | string | undefined {
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
