/**
 * What percentile, entropy, mse and histogram share: the extremes and a histogram of each tensor. They differ only in how a histogram
 * becomes a range. The elements are a sample of each tensor (element-sampler.ts) unless all are asked for; the extremes of every sample of
 * data are exact and count among them (peaks.ts).
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
import { copyExtremes, decodeExtremes, mergeExtremes, noExtremes, widen, type Extremes } from './minmax.ts';
import type { Observer, ObserverOptions, ObserverState } from './observer.ts';
import { decodePeaks, estimate, mergePeaks, PeakCounter, type Peaks } from './peaks.ts';

type State = ObserverState & Extremes & Histograms & Partial<Peaks>;

type Definition = Pick<Observer, 'id' | 'summary' | 'options'> & {
  /** The range of a tensor with elements, whose extremes include zero; the result is cut to them. */
  rangeOf(bins: Bins, extremes: Range, options: ObserverOptions): Range;
};

/** Makes an observer of what turns a histogram into a range. */
export function histogramObserver({ rangeOf, options: own, ...rest }: Definition): Observer {
  return {
    ...rest,
    needs: ['min', 'max'],
    elements: true,
    oneByOne: true,
    saturates: true,
    options: {
      ...own,
      exact: { default: 0, min: 0, max: 1, describe: '1: every element, not a sample of each tensor' },
    },

    start(count) {
      const extremes = noExtremes(count);
      const counter = new Counter();
      const histograms = Array.from({ length: count }, () => new Histogram(counter));
      const peaks = new PeakCounter(count, counter);
      return {
        memory: counter,
        add(batch) {
          widen(extremes, batch);
          peaks.look(batch);
          const located = batch.elements?.map((elements) => elements && counter.locate(elements));
          located?.forEach((elements, i) => elements && histograms[i]!.add(elements));
          peaks.move(batch, histograms);
        },
        state: () => ({ ...copyExtremes(extremes), ...joinHistograms(histograms), ...peaks.state() }),
      };
    },

    merge: (a, b) => ({
      ...mergeExtremes(a as State, b as State),
      ...mergeHistograms(a as State, b as State),
      ...mergePeaks(a as State, b as State),
    }),

    finish(state, options) {
      const { min, max } = state as State;
      const histograms = estimate(state as State, state as State);
      return Array.from(min, (low, i): Range => {
        const extremes = { min: Math.min(low, 0), max: Math.max(max[i]!, 0) };
        const sampled = binsOf(histograms, i, low, max[i]!);
        if (sampled.total === 0) return extremes;
        const bins = withEnds(sampled, low, max[i]!);
        const range = rangeOf(bins, extremes, options);
        return {
          min: Math.min(0, Math.max(range.min, extremes.min)),
          max: Math.max(0, Math.min(range.max, extremes.max)),
        };
      });
    },

    decode(arrays, count) {
      const [extremes, histograms] = [decodeExtremes(arrays, count), decodeHistograms(arrays, count)];
      const peaks = decodePeaks(arrays, count);
      return extremes && histograms && peaks && { ...extremes, ...histograms, ...peaks };
    },
  };
}

/** The bins with one element at least at either end of the values seen; zero is in every range anyway. */
function withEnds(bins: Bins, min: number, max: number): Bins {
  const before = min < bins.low[0]! && min !== 0 ? [min] : [];
  const behind = max > bins.high.at(-1)! && max !== 0 ? [max] : [];
  const joined = (values: Float64Array, first: number[], last: number[]): Float64Array =>
    Float64Array.from([...first, ...values, ...last]);
  const one = (ends: number[]): number[] => ends.map(() => 1);
  return {
    low: joined(bins.low, before, behind),
    high: joined(bins.high, before, behind),
    count: joined(bins.count, one(before), one(behind)),
    total: bins.total + before.length + behind.length,
  };
}
