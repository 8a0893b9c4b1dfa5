/**
 * The range [-T, T] at which the distribution of 8-bit codes differs least from the distribution of values: the threshold T with the least
 * Kullback-Leibler divergence, as TensorRT calibrates (Migacz 2017),
 *
 *     D(T) = Σ p_i · ln(p_i / q_i)
 *
 * over the cells i of [0, T], where p_i is the part of all |x| in the cell (what lies above T counts in the last one), and q_i what the
 * codes tell of it: the elements of each code, of those within T, spread evenly over those of its cells that hold any.
 *
 * Two things are done otherwise than there. Every candidate threshold is divided into equally many cells, eight or more per code, so that a
 * far outlier neither blurs the search nor leaves a single candidate. And exact zeros are left out: zero has a code of its own, and
 * quantizing it loses nothing.
 */
import type { Bins } from '../histogram.ts';
import { histogramObserver } from './histogram-observer.ts';

const cells = 2048;
/** Candidates per halving of the threshold. */
const perOctave = 16;
/** No candidate clips more of the elements. */
const mostClipped = 0.1;

/** The observer `entropy`. */
export const entropy = histogramObserver({
  id: 'entropy',
  summary: 'clips where the divergence between values and their 8-bit codes is least',
  options: {},
  rangeOf(bins, { min, max }) {
    const largest = Math.max(-min, max);
    // Codes on either side of zero.
    const codes = min < 0 && max > 0 ? 128 : 256;
    const values = magnitudes(bins);
    let best = { threshold: largest, divergence: Infinity };
    for (let k = 0; values.total > 0; k++) {
      const threshold = largest * 2 ** (-k / perOctave);
      const { inside, outside } = spread(values, threshold);
      if (outside > mostClipped * values.total) break;
      const divergence = divergenceOf(inside, outside, codes);
      if (divergence < best.divergence) best = { threshold, divergence };
    }
    return { min: -best.threshold, max: best.threshold };
  },
});

/** The bins of |x|, without exact zeros, in no order. */
function magnitudes({ low, high, count }: Bins): Bins {
  const kept = [...count.keys()].filter((i) => low[i] !== 0 || high[i] !== 0);
  const of = (value: (i: number) => number): Float64Array => Float64Array.from(kept, value);
  const counts = of((i) => count[i]!);
  return {
    low: of((i) => Math.min(Math.abs(low[i]!), Math.abs(high[i]!))),
    high: of((i) => Math.max(Math.abs(low[i]!), Math.abs(high[i]!))),
    count: counts,
    total: counts.reduce((sum, each) => sum + each, 0),
  };
}

/** Elements per cell of [0, threshold], each bin spread evenly over its interval, and those above. */
function spread({ low, high, count }: Bins, threshold: number): { inside: Float64Array; outside: number } {
  const inside = new Float64Array(cells);
  let outside = 0;
  const scale = cells / threshold;
  for (let i = 0; i < count.length; i++) {
    const [from, to, elements] = [low[i]! * scale, high[i]! * scale, count[i]!];
    const first = Math.floor(from);
    // What lies exactly on the threshold belongs to the last cell.
    if (to - from < 1e-9 || Math.ceil(to) === first + 1) {
      if (from > cells) outside += elements;
      else inside[Math.min(first, cells - 1)]! += elements;
      continue;
    }
    const density = elements / (to - from);
    for (let cell = first; cell < Math.min(to, cells); cell++)
      inside[cell]! += density * (Math.min(to, cell + 1) - Math.max(from, cell));
    if (to > cells) outside += density * (to - Math.max(from, cells));
  }
  return { inside, outside };
}

/**
 * The divergence D of one threshold. Infinite when values are clipped to a code that has none of its own.
 */
function divergenceOf(inside: Float64Array, outside: number, codes: number): number {
  const width = cells / codes;
  const totalInside = inside.reduce((sum, each) => sum + each, 0);
  const total = totalInside + outside;
  let divergence = 0;
  for (let code = 0; code < codes; code++) {
    const end = (code + 1) * width;
    let elements = 0;
    let filled = 0;
    for (let cell = end - width; cell < end; cell++) {
      elements += inside[cell]!;
      if (inside[cell]! > 0 || (cell === cells - 1 && outside > 0)) filled++;
    }
    if (filled === 0) continue;
    const told = elements / filled / totalInside;
    for (let cell = end - width; cell < end; cell++) {
      const actual = (inside[cell]! + (cell === cells - 1 ? outside : 0)) / total;
      if (actual > 0) divergence += actual * Math.log(actual / told);
    }
  }
  return divergence;
}
