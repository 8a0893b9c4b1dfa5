/**
 * The extremes of single samples beside a histogram of sampled elements. They are exact: each is one element that is known to be there,
 * also where the sample passes over it, as it does over an outlier that stands at one place. What the other elements are remains an
 * estimate: each of the sample stands for as many as the sample leaves of all. So an outlier that the sample passes over weighs what it
 * weighs, no more and no less.
 */
import {
  decodeHistograms,
  Histogram,
  joinHistograms,
  mergeHistograms,
  pageSums,
  scaleHistograms,
  type Histograms,
} from '../histogram.ts';
import { type Counter, series } from '../kernels/counter.ts';
import type { BatchStatistics, ObserverState } from './observer.ts';

/** The peaks in a state. States of earlier releases have none. */
export interface Peaks {
  readonly peakPages: Uint32Array;
  readonly peakCounts: Float64Array;
  /** By tensor: number of all its elements, sampled or not. */
  readonly seen: Float64Array;
}

/** Counts the peaks of one sample after the other. */
export class PeakCounter {
  readonly #counter: Counter;
  readonly #peaks: readonly Histogram[];
  readonly #seen: Float64Array;
  /** Of the sampled elements of the batch at hand, by tensor. */
  readonly #lows: Float32Array;
  readonly #highs: Float32Array;

  constructor(count: number, counter: Counter) {
    this.#counter = counter;
    this.#peaks = Array.from({ length: count }, () => new Histogram(counter));
    this.#seen = new Float64Array(count);
    this.#lows = new Float32Array(count);
    this.#highs = new Float32Array(count);
  }

  /** Before anything is allocated, which would cut the elements off. */
  look({ elements = [], strides }: BatchStatistics): void {
    for (let i = 0; i < elements.length; i++) {
      const own = elements[i];
      if (!own) continue;
      const stride = strides?.[i] ?? 1;
      this.#seen[i]! += own.length * stride;
      if (stride === 1) continue;
      let [low, high] = [Infinity, -Infinity];
      const found = own.length > 0 ? this.#counter.extremes(own, 1) : [];
      for (let at = 0; at < found.length / 2; at++) {
        low = Math.min(low, found[at]!);
        high = Math.max(high, found[at + series]!);
      }
      this.#lows[i] = low;
      this.#highs[i] = high;
    }
  }

  /** Takes the extremes out of the sampled elements that hold them, and counts them apart. */
  move({ min, max, fold, strides, limited }: BatchStatistics, histograms: readonly Histogram[]): void {
    // Those of several samples together depend on which they are, and those of a tensor that is left out one day on when.
    if (fold === undefined || !strides) return;
    for (let i = 0; i < histograms.length; i++) {
      if (strides[i] === 1 || limited?.[i]) continue;
      this.#moveOne(min[i]!, this.#lows[i]!, i, histograms[i]!);
      if (max[i] !== min[i]) this.#moveOne(max[i]!, this.#highs[i]!, i, histograms[i]!);
    }
  }

  #moveOne(exact: number, sampled: number, i: number, histogram: Histogram): void {
    // Zero loses nothing, and may stand for a minimum that nobody looked for.
    if (exact === 0 || !Number.isFinite(exact)) return;
    if (exact === sampled) histogram.count(exact, -1);
    this.#peaks[i]!.count(exact, 1);
  }

  state(): Peaks {
    const { pages, counts } = joinHistograms(this.#peaks);
    return { peakPages: pages, peakCounts: counts, seen: this.#seen.slice() };
  }
}

/** The peaks of both, or nothing where one of the two has none. */
export function mergePeaks(a: Partial<Peaks>, b: Partial<Peaks>): Partial<Peaks> {
  if (!has(a) || !has(b)) return {};
  const { pages, counts } = mergeHistograms(peaksOf(a), peaksOf(b));
  return { peakPages: pages, peakCounts: counts, seen: a.seen.map((count, i) => count + b.seen[i]!) };
}

/** The peaks in arrays read from a file, of `count` tensors: nothing where there are none, undefined where they are something else. */
export function decodePeaks(arrays: ObserverState, count: number): Partial<Peaks> | undefined {
  const { peakPages, peakCounts, seen } = arrays;
  if (!peakPages && !peakCounts && !seen) return {};
  const peaks = peakPages && peakCounts && decodeHistograms({ pages: peakPages, counts: peakCounts }, count);
  if (!peaks || !(seen instanceof Float64Array) || seen.length !== count) return undefined;
  if (!seen.every((each) => Number.isSafeInteger(each) && each >= 0)) return undefined;
  return { peakPages: peaks.pages, peakCounts: peaks.counts, seen };
}

/**
 * Estimates how many elements there are of each size: the peaks as they are, and each sampled element as often as
 * (all elements - peaks) / sampled elements of its tensor.
 */
export function estimate(histograms: Histograms, peaks: Partial<Peaks>): Histograms {
  if (!has(peaks)) return histograms;
  const known = peaksOf(peaks);
  const [sampled, apart] = [pageSums(histograms, peaks.seen.length), pageSums(known, peaks.seen.length)];
  const scales = peaks.seen.map((all, i) => (sampled[i]! > 0 ? Math.max(0, all - apart[i]!) / sampled[i]! : 0));
  return mergeHistograms(scaleHistograms(histograms, scales), known);
}

function has(peaks: Partial<Peaks>): peaks is Peaks {
  return peaks.seen !== undefined;
}

function peaksOf({ peakPages, peakCounts }: Peaks): Histograms {
  return { pages: peakPages, counts: peakCounts };
}
