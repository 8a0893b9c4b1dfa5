/**
 * What percentile, entropy, mse and histogram share: the extremes and a histogram of each tensor. They differ only in how a histogram
 * becomes a range. The elements are a fixed spatial sample of each tensor unless all are asked for; the extremes are exact.
 */
import {
  binsOf,
  decodeHistograms,
  Histogram,
  joinHistograms,
  mergeHistograms,
  type Bins,
  type Histograms,
} from '../histogram.ts';
import { Counter } from '../kernels/counter.ts';
import type { Range } from '../ranges.ts';
import { copyExtremes, decodeExtremes, mergeExtremes, noExtremes, widen, type Extremes } from './extremes.ts';
import type { Observer, ObserverOptions, ObserverState } from './observer.ts';

type State = ObserverState & Extremes & Histograms;

type Definition = Pick<Observer, 'id' | 'summary' | 'options'> & {
  /** The range of a tensor with elements, whose extremes include zero; the result is cut to them. */
  rangeOf(bins: Bins, extremes: Range, options: ObserverOptions): Range;
};

export function histogramObserver({ rangeOf, options: own, ...rest }: Definition): Observer {
  return {
    ...rest,
    needs: ['min', 'max'],
    elements: true,
    oneByOne: true,
    options: {
      ...own,
      exact: { default: 0, min: 0, max: 1, describe: '1: every element, not a sample of each tensor' },
    },

    start(count) {
      const extremes = noExtremes(count);
      const counter = new Counter();
      const histograms = Array.from({ length: count }, () => new Histogram(counter));
      return {
        landing: counter,
        add(batch) {
          widen(extremes, batch);
          const located = batch.elements?.map((elements) => elements && counter.locate(elements));
          located?.forEach((elements, i) => elements && histograms[i]!.add(elements));
        },
        state: () => ({ ...copyExtremes(extremes), ...joinHistograms(histograms) }),
      };
    },

    merge: (a, b) => ({ ...mergeExtremes(a as State, b as State), ...mergeHistograms(a as State, b as State) }),

    finish(state, options) {
      const { min, max, ...histograms } = state as State;
      return Array.from(min, (low, i): Range => {
        const extremes = { min: Math.min(low, 0), max: Math.max(max[i]!, 0) };
        const bins = binsOf(histograms, i, low, max[i]!);
        if (bins.total === 0) return extremes;
        const range = rangeOf(bins, extremes, options);
        return {
          min: Math.min(0, Math.max(range.min, extremes.min)),
          max: Math.max(0, Math.min(range.max, extremes.max)),
        };
      });
    },

    decode(arrays, count) {
      const [extremes, histograms] = [decodeExtremes(arrays, count), decodeHistograms(arrays, count)];
      return extremes && histograms && { ...extremes, ...histograms };
    },
  };
}
