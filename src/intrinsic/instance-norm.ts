/**
 * InstanceNormalization from ReduceMean → Sub → square → ReduceMean → Add → Sqrt → Div over all axes behind the channels: what
 * GroupNorm, between two Reshapes, and InstanceNorm are when they are written out. What scales by channel stays behind it. Where
 * the normalized axes have a scale of their own, or are the last one only and of known length, it is a LayerNormalization.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { Tensor } from '../onnx/tensor.ts';
import { affineBehind, centeredBy, lastAxes, rootMeanSquareOf } from './normalization.ts';
import type { Pass } from './pass.ts';
import { become, exposed, rewriteEach, unfit, type Rewrite } from './pattern.ts';

export const instanceNorm: Pass = {
  name: 'instance-norm',
  summary: 'mean, variance and quotient over all axes behind the channels become InstanceNormalization',
  run(model, context) {
    const facts = createFacts();
    return rewriteEach(model, context, (node) => attempt(node, facts));
  },
};

function attempt(quotient: Node, facts: Facts): Rewrite | undefined {
  const core = rootMeanSquareOf(quotient);
  const center = core && centeredBy(core.value);
  if (!core || !center) return undefined;
  const [sub, mean] = center;
  const x = sub.input(0)!;
  const { dims } = facts.of(x);
  const [channels, last] = [dims?.[1], dims?.at(-1)];
  if (!dims || typeof channels !== 'number') return undefined;
  const count = lastAxes(core.mean, x, dims.length);
  if (count !== dims.length - 2 || lastAxes(mean, x, dims.length) !== count) return undefined;
  if (count === 1 && typeof last === 'number') return undefined;
  const affine = affineBehind(quotient, x, count, true);
  if (typeof affine !== 'string' && affine.nodes.length > 0) return undefined;
  const nodes = new Set([mean, sub, ...core.nodes]);
  // What keeps it from being one keeps it from being a LayerNormalization too, which tells.
  if ((exposed(nodes, quotient) ?? unfit(x, 0, facts)) !== undefined) return undefined;
  const perChannel = (name: string, value: number): Value =>
    quotient.graph!.addInitializer(
      Tensor.of(`${quotient.label}_${name}`, 'float32', [channels], new Float32Array(channels).fill(value)),
    );
  const apply = (): void => {
    become(quotient, 'InstanceNormalization', [x, perChannel('scale', 1), perChannel('bias', 0)]);
    quotient.setFloat('epsilon', core.epsilon);
  };
  return { nodes, root: quotient, apply };
}
