/**
 * The range with the least expected quantization error in a number of bits,
 *
 *     E(min, max) = Σ n_b · 1/|b| · ∫_b w(x) · |x - q(x)|^p dx
 *
 * over the bins b of the histogram, of n_b elements that are evenly spread over a width of |b|. q(x) is the nearest of the 2^bits codes;
 * w(x) is 1 between the outermost codes and `clip` beyond them; p = 2 is the squared error. The integral is taken in closed form over the
 * steps of the quantizer. Both ends are searched for jointly, because they share the step: clipping one end alone may win nothing where
 * clipping both does. The grid is even in the logarithm, so that far outliers do not coarsen it, and its first round looks at wider bins.
 *
 * What is clipped counts `clip` times. Rounding errors have both signs and cancel in the sums and means that follow; those of clipping have
 * one sign and add up, and samples show less of the tails than there is. Against the plain error (1) that wins up to 3 dB in networks that
 * 8 bits hardly carry and is neutral in the others; beyond 2, detectors lose what the rest wins.
 */
import type { Bins } from '../histogram.ts';
import type { Range } from '../ranges.ts';
import { histogramObserver } from './histogram-observer.ts';

/** The first grid goes this many halvings of an end down, in steps of half of one. */
const octaves = 12;
const coarse = 2;
/** Candidates per halving in the grids around the best so far, which reach four steps to either side. */
const finer = [8, 32];
const reach = 4;
/** Bins narrower than this part of the largest value are joined: they are far below a step. */
const finest = 2 ** -16;
/** In each round bins are joined up to this part of their own value: a few steps at first, over which errors average. */
const blurred = [1 / 32, 1 / 128, 0] as const;

/** The observer `mse`. */
export const mse = histogramObserver({
  id: 'mse',
  summary: 'clips where the expected quantization error is least',
  options: {
    p: { default: 2, min: 1, max: 8, describe: 'exponent of the error' },
    bits: { default: 8, min: 2, max: 16, describe: 'bits of the quantizer' },
    clip: { default: 1.75, min: 1, max: 100, describe: 'how many times the error of clipped values counts' },
  },
  rangeOf(bins, extremes, { p, bits, clip }) {
    const quantizer = { p: p!, steps: 2 ** bits! - 1, clip: clip! };
    const narrow = Math.max(-extremes.min, extremes.max) * finest;
    const errorOn = (relative: number): ErrorOf => {
      const joined = joinNarrow(bins, narrow, relative);
      return (range, bound) => expectedError(joined, range, quantizer, bound);
    };
    const scaled = ({ min, max }: Range, below: readonly number[], above: readonly number[]): Range[] =>
      below.flatMap((low) =>
        above.map((high) => ({ min: Math.max(min * low, extremes.min), max: Math.min(max * high, extremes.max) })),
      );
    const down = Array.from({ length: coarse * octaves }, (_, k) => 2 ** (-k / coarse));
    const only = [1];
    const [below, above] = [extremes.min < 0 ? down : only, extremes.max > 0 ? down : only];
    let best = least(scaled(extremes, below, above), errorOn(blurred[0]));
    for (const [round, perOctave] of finer.entries()) {
      const around = Array.from({ length: 2 * reach + 1 }, (_, k) => 2 ** ((k - reach) / perOctave));
      best = least(
        scaled(best, best.min < 0 ? around : only, best.max > 0 ? around : only),
        errorOn(blurred[round + 1]!),
      );
    }
    return best;
  },
});

/** Anything above `bound` stands for itself. */
type ErrorOf = (range: Range, bound: number) => number;

/** The first of those with the least error. */
function least(ranges: readonly Range[], error: ErrorOf): Range {
  let best = { range: ranges[0]!, error: Infinity };
  for (const range of ranges) {
    const found = error(range, best.error);
    if (found < best.error) best = { range, error: found };
  }
  return best.range;
}

/** Neighbouring bins of one sign together, up to this width or part of their value; exact zeros, which lose nothing, left out. */
function joinNarrow({ low, high, count, total }: Bins, width: number, relative: number): Bins {
  const joined: { low: number; high: number; count: number }[] = [];
  for (let i = 0; i < count.length; i++) {
    const last = joined.at(-1);
    if (low[i] === 0 && high[i] === 0) continue;
    const most = Math.max(width, relative * Math.min(Math.abs(last?.low ?? 0), Math.abs(high[i]!)));
    if (last && high[i]! - last.low <= most) {
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

/** Sum over all elements; Infinity as soon as it is above the bound. */
function expectedError(
  { low, high, count }: Bins,
  { min, max }: Range,
  { p, steps, clip }: { readonly p: number; readonly steps: number; readonly clip: number },
  bound: number,
): number {
  const step = (max - min) / steps;
  if (step === 0) return Infinity;
  // Zero has a code, so that the codes at the ends stand for whole steps.
  const lowest = Math.round(min / step);
  const highest = lowest + steps;
  const perStep = (2 * 0.5 ** (p + 1)) / (p + 1);
  const power = p === 2 ? (x: number): number => x * x * x : (x: number): number => x ** (p + 1);
  /** The integral of the error from 0 to x, in steps; beyond the range the error is the distance to the last code. */
  const integral = (x: number): number => {
    const limit = x < 0 ? -lowest : highest;
    const distance = Math.abs(x) / step;
    const inside = Math.min(distance, limit);
    const whole = Math.floor(inside + 0.5);
    const rest = inside - whole;
    const part = Math.sign(rest) * power(Math.abs(rest)) + clip * power(distance - inside);
    return Math.sign(x) * (whole * perStep + part / (p + 1));
  };
  const most = bound / step ** p;
  let sum = 0;
  // Most bins begin where the one before ends.
  let [edge, upToEdge] = [NaN, NaN];
  for (let i = 0; i < count.length; i++) {
    if (sum > most) return Infinity;
    const [from, to] = [low[i]!, high[i]!];
    const width = (to - from) / step;
    // A narrow bin is a point: its integral would drown in rounding.
    if (width < 1e-6) {
      const x = from / step;
      const code = Math.min(Math.max(Math.round(x), lowest), highest);
      sum += count[i]! * (x < lowest || x > highest ? clip : 1) * Math.abs(x - code) ** p;
      continue;
    }
    const before = from === edge ? upToEdge : integral(from);
    [edge, upToEdge] = [to, integral(to)];
    sum += (count[i]! * (upToEdge - before)) / width;
  }
  return sum * step ** p;
}
