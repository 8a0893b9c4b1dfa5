/**
 * Functions behind a layer, as far as the mean behind them is to be kept. Those that rise everywhere or stand still; where a function also
 * falls (SiLU, HardSwish), a channel may have no mean slope to speak of, and no shift then gives the mean that is wanted: there it is the
 * mean in front that is kept.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';

/** Straight between its limits, constant above, of a slope of its own below. Numbers, because it is computed for every element. */
export interface Activation {
  readonly min: number;
  readonly max: number;
  /** Slope below min. */
  readonly leak: number;
}

export interface Activated {
  readonly activation: Activation;
  /** The tensor behind it. */
  readonly seen: Value;
}

export const identity: Activation = { min: -Infinity, max: Infinity, leak: 0 };

/** Of the node that alone reads the output of a layer, where it is one of these. */
export function activationOf(output: Value): Activated {
  const alone = output.soleUser;
  const activation = alone && functionOf(alone);
  return activation ? { activation, seen: alone!.output()! } : { activation: identity, seen: output };
}

function functionOf(node: Node): Activation | undefined {
  const limits = specOf(node)?.clamp?.(node);
  if (limits) return { ...limits, leak: 0 };
  return node.is('LeakyRelu') ? { min: 0, max: Infinity, leak: node.float('alpha', 0.01) } : undefined;
}
