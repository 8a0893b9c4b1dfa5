/**
 * The interval with the least expected quantization error |x - q(x)|^p in 8 bits; p = 2 is the squared error. The error of a bin
 * is integrated in closed form over the steps of the quantizer, its elements evenly spread. Both ends are searched for: first
 * one threshold for both, then each by itself, on a grid that is even in the logarithm, so that far outliers do not coarsen it.
 */
import type { Bins } from '../histogram.ts';
import type { Range } from '../ranges.ts';
import { histogramObserver } from './histogram-observer.ts';

/** Steps of 8 bits. */
const steps = 255;
/** Candidates per halving of an end of the range, first and around the best of those. */
const coarse = 2;
const fine = 32;
const octaves = 12;
/** Bins narrower than this part of the largest value are joined: they are far below a step. */
const finest = 2 ** -16;

export const mse = histogramObserver({
  id: 'mse',
  summary: 'clips where the expected 8-bit quantization error is least',
  options: { p: { default: 2, min: 1, max: 8, describe: 'exponent of the error' } },
  rangeOf(bins, extremes, { p }) {
    const largest = Math.max(-extremes.min, extremes.max);
    const joined = joinNarrow(bins, largest * finest);
    const error = (range: Range): number => expectedError(joined, range, p!);
    const cut = (limit: number): Range => ({
      min: Math.max(extremes.min, -limit),
      max: Math.min(extremes.max, limit),
    });
    let range = cut(search(largest, largest, (limit) => error(cut(limit))));
    for (let round = 0; round < 2; round++) {
      const { min } = range;
      range = { min, max: search(extremes.max, range.max, (max) => error({ min, max })) };
      const { max } = range;
      range = { min: -search(-extremes.min, -range.min, (low) => error({ min: -low, max })), max };
    }
    return range;
  },
});

/** Neighbouring bins together, up to this width; exact zeros, which no range quantizes wrongly, left out. */
function joinNarrow({ low, high, count, total }: Bins, width: number): Bins {
  const joined: { low: number; high: number; count: number }[] = [];
  for (let i = 0; i < count.length; i++) {
    const last = joined.at(-1);
    if (low[i] === 0 && high[i] === 0) continue;
    if (last && high[i]! - last.low <= width) {
      last.high = high[i]!;
      last.count += count[i]!;
    } else joined.push({ low: low[i]!, high: high[i]!, count: count[i]! });
  }
  return {
    low: Float64Array.from(joined, (bin) => bin.low),
    high: Float64Array.from(joined, (bin) => bin.high),
    count: Float64Array.from(joined, (bin) => bin.count),
    total,
  };
}

/** The best of `from` × 2^(-k/coarse) and of `known`, and then of finer steps around it. */
function search(from: number, known: number, error: (limit: number) => number): number {
  let best = { limit: known, error: error(known) };
  const attempt = (limit: number): void => {
    const found = error(limit);
    if (found < best.error) best = { limit, error: found };
  };
  if (from === 0) return from;
  for (let k = 0; k < coarse * octaves; k++) attempt(from * 2 ** (-k / coarse));
  const centre = best.limit;
  for (let k = 1 - fine / coarse; k < fine / coarse; k++) attempt(Math.min(from, centre * 2 ** (k / fine)));
  return best.limit;
}

/** Sum over all elements. */
function expectedError({ low, high, count }: Bins, { min, max }: Range, p: number): number {
  const step = (max - min) / steps;
  if (step === 0) return Infinity;
  const perStep = (2 * 0.5 ** (p + 1)) / (p + 1);
  const power = p === 2 ? (x: number): number => x * x * x : (x: number): number => x ** (p + 1);
  /** The integral of the error from 0 to x, in steps; beyond the range the error is the distance to its end. */
  const integral = (x: number): number => {
    const limit = (x < 0 ? -min : max) / step;
    const distance = Math.abs(x) / step;
    const inside = Math.min(distance, limit);
    const whole = Math.floor(inside + 0.5);
    const rest = inside - whole;
    const part = Math.sign(rest) * power(Math.abs(rest)) + power(distance - inside);
    return Math.sign(x) * (whole * perStep + part / (p + 1));
  };
  let sum = 0;
  // Most bins begin where the one before ends.
  let [edge, upToEdge] = [NaN, NaN];
  for (let i = 0; i < count.length; i++) {
    const [from, to] = [low[i]!, high[i]!];
    const width = (to - from) / step;
    // A narrow bin is a point: its integral would drown in rounding.
    if (width < 1e-6) {
      sum += count[i]! * pointError(from, min, max, step) ** p;
      continue;
    }
    const before = from === edge ? upToEdge : integral(from);
    [edge, upToEdge] = [to, integral(to)];
    sum += (count[i]! * (upToEdge - before)) / width;
  }
  return sum * step ** p;
}

/** In steps. */
function pointError(x: number, min: number, max: number, step: number): number {
  const inside = Math.min(Math.max(x, min), max);
  return (Math.abs(x - inside) + Math.abs(inside - Math.round(inside / step) * step)) / step;
}
