/**
 * Functions behind a layer, as far as the mean behind them is to be kept. Those that rise everywhere or stand still; where a function also
 * falls (SiLU, HardSwish), a channel may have no mean slope to speak of, and no shift then gives the mean that is wanted: there it is the
 * mean in front that is kept.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';

export interface Activation {
  apply(x: number): number;
  /** How much of a small shift of x is left behind it. */
  slope(x: number): number;
}

export interface Activated {
  readonly activation: Activation;
  /** The tensor behind it. */
  readonly seen: Value;
}

export const identity: Activation = { apply: (x) => x, slope: () => 1 };

/** Relu and Clip. */
export const limited = (min: number, max: number): Activation => ({
  apply: (x) => (x > min ? (x < max ? x : max) : min),
  slope: (x) => (x > min && x < max ? 1 : 0),
});

const leaky = (alpha: number): Activation => ({
  apply: (x) => (x < 0 ? alpha * x : x),
  slope: (x) => (x < 0 ? alpha : 1),
});

/** Of the node that alone reads the output of a layer, where it is one of these. */
export function activationOf(output: Value): Activated {
  const alone = output.soleUser;
  const activation = alone && functionOf(alone);
  return activation ? { activation, seen: alone!.output()! } : { activation: identity, seen: output };
}

function functionOf(node: Node): Activation | undefined {
  const limits = specOf(node)?.clamp?.(node);
  if (limits) return limited(limits.min, limits.max);
  return node.is('LeakyRelu') ? leaky(node.float('alpha', 0.01)) : undefined;
}
