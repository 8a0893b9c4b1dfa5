/**
 * Gelu from its primitive forms: ½x(1 + erf(x/√2)), and the approximation ½x(1 + tanh(√(2/π)(x + 0.044715x³))). The kernel
 * and the formula differ by at most 2^-20 · |x|.
 */
import type { Node } from '../graph/node.ts';
import { own } from '../graph/names.ts';
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
  unfit,
  type NeedsOpset,
  type Rewrite,
  type Terms,
} from './pattern.ts';

export const gelu: Pass = {
  name: 'gelu',
  summary: 'Gelu written with Erf or Tanh becomes Gelu (from opset 20 on)',
  run(model, context) {
    const facts = createFacts();
    return rewriteEach(model, context, (node) => attempt(node, model.opset, facts));
  },
};

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

function attempt(node: Node, opset: number, facts: Facts): Rewrite | NeedsOpset | string | undefined {
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
