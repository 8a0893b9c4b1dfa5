/** Bins against counting by value, in JavaScript's own numbers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binsOf, decodeHistograms, Histogram, joinHistograms } from '../../src/calibrate/histogram.ts';
import { pageBins, pagesEach } from '../../src/calibrate/kernels/counter.ts';

const histogramOf = (values: Float32Array): Histogram => {
  const histogram = new Histogram();
  histogram.add(values);
  return histogram;
};

describe('histograms', () => {
  it('hold every element in a bin around it, ascending, at most 1/256 of its value wide', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 40 }), (values) => {
        const [min, max] = [Math.min(...values), Math.max(...values)];
        const { low, high, count, total } = binsOf(joinHistograms([histogramOf(values)]), 0, min, max);
        expect(total).toBe(values.length);
        const tiny = 2 ** -134;
        for (let i = 0; i < low.length; i++) {
          expect(low[i]! >= min && high[i]! <= max && low[i]! <= high[i]!).toBe(true);
          if (i > 0) expect(low[i]! >= high[i - 1]!).toBe(true);
          const nearer = Math.min(Math.abs(low[i]!), Math.abs(high[i]!));
          expect(high[i]! - low[i]!).toBeLessThanOrEqual(Math.max(nearer / 256, tiny));
        }
        // By rank: the k-th element lies in the bin that holds rank k.
        const sorted = [...values].sort((a, b) => a - b);
        const bins = Array.from(count, (elements, i) => Array.from({ length: elements }, () => i)).flat();
        sorted.forEach((value, rank) => {
          const bin = bins[rank]!;
          expect(value >= low[bin]! - tiny && value <= high[bin]! + tiny).toBe(true);
        });
      }),
    );
  });

  it('keep tensors apart, and infinity and NaN out of the bins', () => {
    const joined = joinHistograms([
      histogramOf(Float32Array.of(NaN, Infinity, -Infinity, 1)),
      new Histogram(),
      histogramOf(Float32Array.of(-2, -2, 0)),
    ]);
    expect(binsOf(joined, 0, 1, 1)).toMatchObject({ total: 1, low: Float64Array.of(1), high: Float64Array.of(1) });
    expect(binsOf(joined, 1, Infinity, -Infinity).total).toBe(0);
    expect(binsOf(joined, 2, -2, 0)).toMatchObject({ total: 3, count: Float64Array.of(2, 1) });
    expect(decodeHistograms({ ...joined }, 3)).toEqual(joined);
    expect(decodeHistograms({ ...joined }, 2)).toBeUndefined();
  });

  it('grow beyond their first pages', () => {
    const values = Float32Array.from({ length: 100 }, (_, i) => 2 ** (i - 50));
    const { pages, counts } = joinHistograms([histogramOf(values)]);
    expect(pages).toHaveLength(100);
    expect(counts).toHaveLength(100 * pageBins);
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(100);
    expect(Math.max(...pages)).toBeLessThan(pagesEach);
  });

  it('are refused when damaged', () => {
    const { pages, counts } = joinHistograms([histogramOf(Float32Array.of(1, 2, 3))]);
    expect(decodeHistograms({ pages, counts }, 1)).toEqual({ pages, counts });
    expect(decodeHistograms({ pages: pages.toReversed(), counts }, 1)).toBeUndefined();
    expect(decodeHistograms({ pages, counts: counts.map((each) => -each) }, 1)).toBeUndefined();
    expect(decodeHistograms({ pages, counts: counts.map((each) => each / 2) }, 1)).toBeUndefined();
  });
});
