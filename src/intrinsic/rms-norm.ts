/**
 * RMSNormalization from square → ReduceMean → Add → Sqrt → Div (→ Mul): as layer-norm, without the mean. Kernel and
 * formula differ by at most 2^-20 of the largest result.
 */
import type { Node } from '../graph/node.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { affineBehind, centeredBy, lastAxes, normalize, rootMeanSquareOf } from './normalization.ts';
import type { Pass } from './pass.ts';
import { exposed, rewriteEach, unfit, type NeedsOpset, type Rewrite } from './pattern.ts';

export const rmsNorm: Pass = {
  name: 'rms-norm',
  summary: 'the quotient by the root mean square over the last axes becomes RMSNormalization (from opset 23 on)',
  run(model, context) {
    const facts = createFacts();
    return rewriteEach(model, context, (node) => attempt(node, model.opset, facts));
  },
};

function attempt(quotient: Node, opset: number, facts: Facts): Rewrite | NeedsOpset | string | undefined {
  const core = rootMeanSquareOf(quotient);
  if (!core || centeredBy(core.value)) return undefined;
  const x = core.value;
  const count = lastAxes(core.mean, x, facts.of(x).rank);
  if (typeof count === 'string') return count;
  const affine = affineBehind(quotient, x, count, false);
  if (typeof affine === 'string') return affine;
  const { root } = affine;
  const nodes = new Set([...core.nodes, ...affine.nodes]);
  const reason = exposed(nodes, root) ?? unfit(x, 0, facts);
  if (reason !== undefined) return reason;
  const apply = normalize('RMSNormalization', affine, x, count, core.epsilon);
  if (typeof apply === 'string') return apply;
  return opset < 23 ? { opType: 'RMSNormalization', opset: 23 } : { nodes, root, apply };
}
