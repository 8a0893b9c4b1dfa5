/**
 * HardSigmoid, max(0, min(1, αx + β)), from a Clip between 0 and h of a linear function, divided by h; and HardSwish, x times
 * the HardSigmoid with α = 1/6 and β = 1/2. Kernel and formula differ by at most 2^-21 and 2^-21 · |x|.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import type { Facts } from '../graph/facts.ts';
import {
  become,
  exposed,
  formulaAbove,
  near,
  operandsOf,
  otherOperand,
  polynomialOf,
  patternPass,
  scalarOf,
  unfit,
  type Polynomial,
  type Rewrite,
} from './pattern.ts';

export const hardSwish = patternPass(
  'hard-swish',
  'x · Clip(x + 3, 0, 6) / 6 becomes HardSwish, and without the factor x HardSigmoid',
  (node, { opset, facts }) => {
    if (node.is('HardSigmoid')) return opset < 14 ? undefined : fromHardSigmoid(node, facts);
    return fromClip(node, opset, facts);
  },
);

function isSwish(alpha: number, beta: number): boolean {
  return near(alpha, 1 / 6) && near(beta, 0.5);
}

function fromHardSigmoid(node: Node, facts: Facts): Rewrite | string | undefined {
  const [x, t] = [node.input(0), node.output()];
  if (!x || !t || !isSwish(node.float('alpha', 0.2), node.float('beta', 0.5))) return undefined;
  const formula = formulaAbove(t, x, { tx: 1 });
  if (!formula) return undefined;
  const nodes = new Set([node, ...formula.nodes]);
  const { root } = formula;
  const reason = exposed(nodes, root) ?? unfit(x, formula.rank, facts);
  return reason ?? { nodes, root, apply: () => become(root, 'HardSwish', [x]) };
}

/** A value limited to 0..height, and the nodes that do it. */
interface Limited {
  readonly value: Value;
  readonly height: number;
  readonly nodes: readonly Node[];
}

/** Clip(v, 0, h); Min(Relu(v), h), Min(Max(v, 0), h). */
function limitedBy(node: Node): Limited | undefined {
  const value = node.input(0);
  if (node.is('Clip')) {
    const interval = specOf(node)?.clamp?.(node);
    return value && interval?.min === 0 ? { value, height: interval.max, nodes: [node] } : undefined;
  }
  if (!node.is('Min') || node.inputs.length !== 2) return undefined;
  for (const operand of node.inputs) {
    const height = scalarOf(otherOperand(node, operand!));
    const inner = operand?.producer;
    if (height === undefined || !inner) continue;
    const zero = inner.inputs.find((each) => scalarOf(each ?? undefined) === 0);
    const limited = inner.is('Relu') ? inner.input(0) : inner.is('Max') && zero && otherOperand(inner, zero);
    if (limited) return { value: limited, height, nodes: [inner, node] };
  }
  return undefined;
}

function fromClip(node: Node, opset: number, facts: Facts): Rewrite | string | undefined {
  const t = node.output();
  const limited = limitedBy(node);
  if (!t || !limited || !(limited.height > 0 && limited.height < Infinity)) return undefined;
  const { value, height } = limited;
  const linear = operandsOf(value)
    .map((x) => ({ x, argument: polynomialOf(value, { x }) }))
    .filter((each): each is Linear => isLinear(each.argument));
  if (linear.length === 0) return undefined;
  const withNodes = ({ argument }: Linear, others: ReadonlySet<Node>): Set<Node> =>
    new Set([...argument.nodes, ...limited.nodes, ...others]);

  for (const each of linear) {
    const { alpha, beta } = coefficients(each, height);
    const formula = isSwish(alpha, beta) ? formulaAbove(t, each.x, { tx: 1 / height }) : undefined;
    if (!formula) continue;
    const { root } = formula;
    const nodes = withNodes(each, formula.nodes);
    const reason = exposed(nodes, root) ?? unfit(each.x, Math.max(each.argument.rank, formula.rank), facts);
    if (reason !== undefined) return reason;
    const apply = (): void => {
      if (opset >= 14) return become(root, 'HardSwish', [each.x]);
      becomeHardSigmoid(node, each.x, alpha, beta);
      become(root, 'Mul', [each.x, t]);
    };
    return { nodes, root, apply };
  }

  // Height 1 needs no factor. A Clip of x + β alone is left: the int8 region before it can take it in.
  let best: Rewrite | string | undefined;
  for (const each of linear) {
    const { alpha, beta } = coefficients(each, height);
    const scaled =
      height === 1 ? { nodes: new Set<Node>(), root: node, rank: 0 } : formulaAbove(t, each.x, { t: 1 / height });
    if (!scaled) return isSwish(alpha, beta) ? `nothing multiplies its result by 1/${height}` : undefined;
    if (alpha === 1 && height === 1) continue;
    const { root } = scaled;
    const nodes = withNodes(each, scaled.nodes);
    const reason = exposed(nodes, root) ?? unfit(each.x, Math.max(each.argument.rank, scaled.rank), facts);
    if (reason === undefined) best = { nodes, root, apply: () => becomeHardSigmoid(root, each.x, alpha, beta) };
    else best ??= reason;
  }
  return best;
}

interface Linear {
  readonly x: Value;
  readonly argument: Polynomial;
}

/** True for ax + b with b ≠ 0. */
function isLinear(polynomial: Polynomial | undefined): boolean {
  return polynomial?.terms.size === 2 && polynomial.terms.has('x') && !!polynomial.terms.get('');
}

function coefficients({ argument: { terms } }: Linear, height: number): { alpha: number; beta: number } {
  return { alpha: terms.get('x')! / height, beta: terms.get('')! / height };
}

function becomeHardSigmoid(node: Node, x: Value, alpha: number, beta: number): void {
  become(node, 'HardSigmoid', [x]);
  node.setFloat('alpha', alpha);
  node.setFloat('beta', beta);
}
