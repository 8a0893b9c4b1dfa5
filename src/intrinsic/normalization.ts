/**
 * Normalizations that are written out with primitive operators become LayerNormalization, RMSNormalization or InstanceNormalization. How the
 * primitive form is recognized is in normalization-pattern.ts.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { affineBehind, centeredBy, lastAxes, rootMeanSquareOf, normalize, axesOf } from './normalization-pattern.ts';
import type { Surroundings } from './pass.ts';
import { become, exposed, patternPass, unfit, type Rewrite, type NeedsOpset } from './pattern.ts';

/**
 * LayerNormalization from ReduceMean → Sub → square → ReduceMean → Add → Sqrt → Div (→ Mul → Add). With m the mean and s
 * the standard deviation of a row, kernel and formula differ by at most 2^-20 · (1 + |m|/s) of the largest result.
 */
export const layerNorm = patternPass(
  'layer-norm',
  'mean, variance and quotient over the last axes become LayerNormalization (from opset 17 on)',
  matchLayerNorm,
);

function matchLayerNorm(quotient: Node, { opset, facts }: Surroundings): Rewrite | NeedsOpset | string | undefined {
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

/**
 * RMSNormalization from square → ReduceMean → Add → Sqrt → Div (→ Mul): as layer-norm, without the mean. Kernel and
 * formula differ by at most 2^-20 of the largest result.
 */
export const rmsNorm = patternPass(
  'rms-norm',
  'the quotient by the root mean square over the last axes becomes RMSNormalization (from opset 23 on)',
  matchRmsNorm,
);

function matchRmsNorm(quotient: Node, { opset, facts }: Surroundings): Rewrite | NeedsOpset | string | undefined {
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

/**
 * InstanceNormalization from ReduceMean → Sub → square → ReduceMean → Add → Sqrt → Div over all axes behind the channels: what
 * GroupNorm, between two Reshapes, and InstanceNorm are when they are written out. What scales by channel stays behind it. Where
 * the normalized axes have a scale of their own, or are the last one only and of known length, it is a LayerNormalization.
 */
export const instanceNorm = patternPass(
  'instance-norm',
  'mean, variance and quotient over all axes behind the channels become InstanceNormalization',
  matchInstanceNorm,
);

function matchInstanceNorm(quotient: Node, { facts }: Surroundings): Rewrite | undefined {
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
