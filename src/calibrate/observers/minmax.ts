/**
 * The smallest and largest value of each tensor: the observer minmax, and part of the state of others. The range is the whole interval that
 * was seen: exact and cheap, but one outlier widens it.
 */
import type { BatchStatistics, ObserverState, Observer } from './observer.ts';

type State = ObserverState & Extremes;

/** The observer `minmax`. */
export const minmax: Observer = {
  id: 'minmax',
  summary: 'smallest and largest value seen',
  needs: ['min', 'max'],
  elements: false,
  oneByOne: false,
  saturates: true,
  options: {},

  start(count) {
    const extremes = noExtremes(count);
    return { add: (batch) => widen(extremes, batch), state: () => ({ ...copyExtremes(extremes) }) };
  },

  merge: (a, b) => ({ ...mergeExtremes(a as State, b as State) }),

  finish(state) {
    const { min, max } = state as State;
    return Array.from(min, (low, i) => ({ min: Math.min(low, 0), max: Math.max(max[i]!, 0) }));
  },

  decode(arrays, count) {
    const extremes = decodeExtremes(arrays, count);
    return extremes && { ...extremes };
  },
};

/** Indexed by tensor. */
export interface Extremes {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** The extremes before the first batch. */
export function noExtremes(count: number): Extremes {
  return { min: new Float32Array(count).fill(Infinity), max: new Float32Array(count).fill(-Infinity) };
}

/** Widens `extremes` in place. */
export function widen({ min, max }: Extremes, by: BatchStatistics | Extremes): void {
  for (let i = 0; i < min.length; i++) {
    min[i] = Math.min(min[i]!, by.min[i]!);
    max[i] = Math.max(max[i]!, by.max[i]!);
  }
}

/** A copy, which later batches do not change. */
export function copyExtremes({ min, max }: Extremes): Extremes {
  return { min: min.slice(), max: max.slice() };
}

/** The extremes of both. */
export function mergeExtremes(a: Extremes, b: Extremes): Extremes {
  const merged = copyExtremes(a);
  widen(merged, b);
  return merged;
}

/** The extremes of `count` tensors in arrays read from a file, or undefined when they are none. */
export function decodeExtremes({ min, max }: ObserverState, count: number): Extremes | undefined {
  const whole = (array: unknown): array is Float32Array => array instanceof Float32Array && array.length === count;
  return whole(min) && whole(max) ? { min, max } : undefined;
}
