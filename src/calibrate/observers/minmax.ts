/** The whole interval that was seen. Exact and cheap, but one outlier widens it. */
import { copyExtremes, decodeExtremes, mergeExtremes, noExtremes, widen, type Extremes } from './extremes.ts';
import type { Observer, ObserverState } from './observer.ts';

type State = ObserverState & Extremes;

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
