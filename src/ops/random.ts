/** Operators whose result differs from run to run: nothing of it may be folded, shared or taken to be fixed. */
import type { Node } from '../graph/node.ts';

const random = /^(Random(Normal|Uniform)(Like)?|Multinomial|Bernoulli)$/;

/** Whether the operator draws random numbers. Dropout does in training alone, which each caller judges by itself. */
export function isRandom({ opType }: Node): boolean {
  return random.test(opType);
}
