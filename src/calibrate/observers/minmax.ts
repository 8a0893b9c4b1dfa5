/** The whole interval that was seen. Exact and cheap, but one outlier widens it. */
import type { Observer, ObserverState } from './observer.ts';

interface MinMax {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

export const minmax: Observer = {
  id: 'minmax',
  summary: 'smallest and largest value seen',
  needs: ['min', 'max'],
  options: {},

  empty: (count) => ({ min: new Float32Array(count).fill(Infinity), max: new Float32Array(count).fill(-Infinity) }),

  add(state, batch) {
    const { min, max } = state as ObserverState & MinMax;
    for (let i = 0; i < min.length; i++) {
      min[i] = Math.min(min[i]!, batch.min[i]!);
      max[i] = Math.max(max[i]!, batch.max[i]!);
    }
  },

  merge(a, b) {
    const merged = { min: (a as ObserverState & MinMax).min.slice(), max: (a as ObserverState & MinMax).max.slice() };
    minmax.add(merged, b as ObserverState & MinMax, {});
    return merged;
  },

  finish(state) {
    const { min, max } = state as ObserverState & MinMax;
    return Array.from(min, (low, i) => ({ min: Math.min(low, 0), max: Math.max(max[i]!, 0) }));
  },

  decode({ min, max }, count) {
    const whole = (array: unknown): array is Float32Array => array instanceof Float32Array && array.length === count;
    return whole(min) && whole(max) ? { min, max } : undefined;
  },
};
