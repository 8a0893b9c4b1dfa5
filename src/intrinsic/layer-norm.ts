/**
 * LayerNormalization from ReduceMean → Sub → square → ReduceMean → Add → Sqrt → Div (→ Mul → Add). With m the mean and s
 * the standard deviation of a row, kernel and formula differ by at most 2^-20 · (1 + |m|/s) of the largest result.
 */
import type { Node } from '../graph/node.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { affineBehind, axesOf, centeredBy, lastAxes, normalize, rootMeanSquareOf } from './normalization.ts';
import type { Pass } from './pass.ts';
import { exposed, rewriteEach, unfit, type NeedsOpset, type Rewrite } from './pattern.ts';

export const layerNorm: Pass = {
  name: 'layer-norm',
  summary: 'mean, variance and quotient over the last axes become LayerNormalization (from opset 17 on)',
  run(model, context) {
    const facts = createFacts();
    return rewriteEach(model, context, (node) => attempt(node, model.opset, facts));
  },
};

function attempt(quotient: Node, opset: number, facts: Facts): Rewrite | NeedsOpset | string | undefined {
  const core = rootMeanSquareOf(quotient);
  const found = core && centeredBy(core.value);
  if (!core || !found) return undefined;
  const [sub, center] = found;
  const x = sub.input(0)!;
  const { rank } = facts.of(x);
  const count = lastAxes(core.mean, x, rank);
  if (typeof count === 'string') return count;
  if (lastAxes(center, x, rank) !== count) {
    return `its mean is over axes [${axesOf(center)?.join(', ')}], its variance over [${axesOf(core.mean)!.join(', ')}]`;
  }
  const affine = affineBehind(quotient, x, count, true);
  if (typeof affine === 'string') return affine;
  const { root } = affine;
  const nodes = new Set([center, sub, ...core.nodes, ...affine.nodes]);
  const reason = exposed(nodes, root) ?? unfit(x, 0, facts);
  if (reason !== undefined) return reason;
  const apply = normalize('LayerNormalization', affine, x, count, core.epsilon);
  if (typeof apply === 'string') return apply;
  return opset < 17 ? { opType: 'LayerNormalization', opset: 17 } : { nodes, root, apply };
}
