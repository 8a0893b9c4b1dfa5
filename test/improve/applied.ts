/** What an activation is, written as a function of one number. */
import type { Activation } from '../../src/improve/layers.ts';

export function applied({ min, max, leak }: Activation, x: number): number {
  return x < min ? min + leak * (x - min) : Math.min(x, max);
}
