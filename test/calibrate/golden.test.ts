/**
 * The histogram observers against numpy on the elements themselves (golden/observers.py), against PyTorch's HistogramObserver
 * (golden/histogram-search.py), and against planted outliers.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { observerOf, observerOptions } from '../../src/calibrate/observers/index.ts';
import type { Range } from '../../src/calibrate/ranges.ts';

interface Golden {
  readonly checksum: number;
  readonly percentile: Readonly<Record<string, readonly [number, number]>>;
  /** Divergence of each candidate threshold, 2^(1/16) apart; null for infinity. */
  readonly entropy: readonly number[];
  readonly error: Readonly<Record<string, number>>;
}

const golden = JSON.parse(
  readFileSync(new URL('./golden/observers.json', import.meta.url), 'utf8').replaceAll('Infinity', '1e99'),
) as Readonly<Record<string, Golden>>;

const searched = JSON.parse(
  readFileSync(new URL('./golden/histogram-search.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, readonly [number, number]>>;

/** mulberry32. */
function uniform(seed: number): Float64Array {
  let state = seed;
  return new Float64Array(40_000).map(() => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
}

const [a, b] = [uniform(1), uniform(2)];
const normal = a.map((u, i) => Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * b[i]!));
const tensors: Readonly<Record<string, Float32Array>> = {
  laplace: Float32Array.from(a, (u) => Math.sign(u - 0.5) * -Math.log1p(-2 * Math.abs(u - 0.5) + 1e-12)),
  normal: Float32Array.from(normal),
  relu: Float32Array.from(normal, (x) => Math.max(x, 0)),
  skewed: Float32Array.from(a, (u, i) => (u < 0.5 ? -0.1 * b[i]! : 3 * b[i]! ** 2)),
  outliers: Float32Array.from(normal, (x, i) => (i % 10_000 === 0 ? 1000 : x)),
};

function rangeOf(id: string, elements: Float32Array, given: Record<string, number> = {}): Range {
  const observer = observerOf(id);
  const options = observerOptions(observer, given);
  const accumulator = observer.start(1, options);
  for (let at = 0; at < elements.length; at += 9999) {
    const part = elements.subarray(at, at + 9999);
    accumulator.add({
      min: Float32Array.of(Math.min(...part)),
      max: Float32Array.of(Math.max(...part)),
      elements: [part],
    });
  }
  return observer.finish(accumulator.state(), options)[0]!;
}

/** Mean |x - q(x)|^p over the elements, those outside the range counted `clip` times. */
function errorOf(elements: Float32Array, { min, max }: Range, p: number, clip = 1): number {
  const step = (max - min) / 255;
  return (
    elements.reduce((sum, x) => {
      const inside = Math.min(Math.max(x, min), max);
      return sum + (x === inside ? 1 : clip) * Math.abs(x - Math.round(inside / step) * step) ** p;
    }, 0) / elements.length
  );
}

describe.each(Object.entries(tensors))('%s', (name, elements) => {
  const expected = golden[name]!;

  it('is the tensor that numpy saw', () => {
    const sum = elements.reduce((total, x) => total + x, 0);
    expect(Math.abs(sum - expected.checksum)).toBeLessThan(1e-2);
  });

  it.each(Object.entries(expected.percentile))(
    'percentile %s, within the width of a bin',
    (percentile, [low, high]) => {
      const { min, max } = rangeOf('percentile', elements, { percentile: Number(percentile) });
      expect(Math.abs(min - Math.min(low, 0))).toBeLessThanOrEqual(Math.abs(low) / 256);
      expect(Math.abs(max - high)).toBeLessThanOrEqual(high / 256);
    },
  );

  it('entropy: a threshold whose divergence is about the least', () => {
    const { max } = rangeOf('entropy', elements);
    const largest = Math.max(...elements.map(Math.abs));
    const least = Math.min(...expected.entropy);
    const candidate = Math.round(16 * Math.log2(largest / max));
    expect(expected.entropy[candidate]! / least).toBeLessThan(1.1);
  });

  it("histogram: PyTorch's range, within the width of a bin", () => {
    const { min, max } = rangeOf('histogram', elements);
    const [low, high] = searched[name]!;
    // One of PyTorch's equal bins or one of ours, whichever is wider there.
    const width = (high - low) / 2048;
    expect(Math.abs(min - low)).toBeLessThanOrEqual(Math.max(width, Math.abs(low) / 256));
    expect(Math.abs(max - high)).toBeLessThanOrEqual(Math.max(width, high / 256));
  });

  it.each(Object.entries(expected.error))('mse with exponent %s: about the least error', (p, least) => {
    const error = errorOf(elements, rangeOf('mse', elements, { p: Number(p), clip: 1 }), Number(p));
    expect(error / least).toBeLessThan(1.02);
  });

  it.each([1.75, 8])('mse that counts clipping %s times: about the least of that error, and no narrower', (clip) => {
    const range = rangeOf('mse', elements, { clip });
    const plain = rangeOf('mse', elements, { clip: 1 });
    const ends = Array.from({ length: 24 }, (_, k) => 2 ** (-k / 3));
    const { min, max } = rangeOf('minmax', elements);
    const grid = (min < 0 ? ends : [0]).flatMap((low) => ends.map((high) => ({ min: min * low, max: max * high })));
    const least = Math.min(...grid.map((each) => errorOf(elements, each, 2, clip)));
    // The search refines its first grid around one candidate: beside four far outliers that is 3.4 % above the least.
    expect(errorOf(elements, range, 2, clip)).toBeLessThanOrEqual(least * 1.04);
    expect(range.max - range.min).toBeGreaterThanOrEqual((plain.max - plain.min) * 0.999);
  });
});

describe('planted outliers', () => {
  const { normal: plain, outliers } = tensors as { normal: Float32Array; outliers: Float32Array };

  it.each(['percentile', 'entropy'])('%s clips them, minmax does not', (id) => {
    const least = Math.max(...plain.map(Math.abs));
    expect(rangeOf('minmax', outliers).max).toBe(1000);
    const options = id === 'percentile' ? { percentile: 99.9 } : {};
    expect(rangeOf(id, outliers, options).max).toBeGreaterThan(least / 2);
    expect(rangeOf(id, outliers, options).max).toBeLessThan(least * 1.1);
  });

  it('a constant is kept whole', () => {
    for (const id of ['minmax', 'percentile', 'entropy', 'mse', 'histogram', 'average'])
      expect(rangeOf(id, new Float32Array(1000).fill(6)), id).toEqual({ min: 0, max: 6 });
  });

  it('average: the mean of the extremes, whatever the order, to the last bit', () => {
    const observer = observerOf('average');
    const values = [1e-30, 3e38, 0.1, -7.5, 3e-45, 16777216, 0.3].map(Math.fround);
    const meanOf = (order: readonly number[]): Range => {
      const accumulator = observer.start(1, {});
      for (const x of order) accumulator.add({ min: Float32Array.of(-Math.abs(x)), max: Float32Array.of(Math.abs(x)) });
      return observer.finish(accumulator.state(), {})[0]!;
    };
    expect(meanOf([1, 2, 6])).toEqual({ min: -3, max: 3 });
    expect(meanOf([0.1, 0.2].map(Math.fround)).max).toBe((Math.fround(0.1) + Math.fround(0.2)) / 2);
    expect(meanOf([3e-45, 3e-45].map(Math.fround)).max).toBe(Math.fround(3e-45));
    expect(meanOf([...values].reverse())).toEqual(meanOf(values));
    expect(meanOf([...values].sort())).toEqual(meanOf(values));
  });
});
