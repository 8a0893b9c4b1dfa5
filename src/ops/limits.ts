/** What no result of an operator ever leaves, as its rule says it: 0..1 of a Sigmoid or Softmax, -1..1 of a Tanh. */
import type { Node } from '../graph/node.ts';
import { specOf } from './index.ts';
import type { Interval } from './op.ts';

/** Undefined where the operator has no such limits, or qdq no int8 form that would say them. */
export function limitsOf(node: Node): Interval | undefined {
  const rule = specOf(node)?.quantize?.(node);
  if (typeof rule !== 'object') return undefined;
  const { output } = rule;
  return output.kind === 'fixed' ? output.range : output.kind === 'observe' ? output.within : undefined;
}
