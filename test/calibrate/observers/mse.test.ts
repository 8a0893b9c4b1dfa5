/** How far a range of least error is trusted, by the number of samples that it was found on. */
import { expect, it } from 'vitest';
import { mse } from '../../../src/calibrate/observers/mse.ts';
import { observerOptions } from '../../../src/calibrate/observers/index.ts';
import type { Range } from '../../../src/calibrate/ranges.ts';
import { random } from '../../../src/data/random.ts';

/** Laplacian: where clipping pays most. */
const draw = random(7);
const elements = Float32Array.from({ length: 40_000 }, () => {
  const u = draw.uint32() / 2 ** 32 - 0.5;
  return Math.sign(u) * -Math.log(1 - 2 * Math.abs(u) + 1e-9);
});

const accumulator = mse.start(1, observerOptions(mse, {}));
const [low, high] = [Math.min(...elements), Math.max(...elements)];
accumulator.add({ min: Float32Array.of(low), max: Float32Array.of(high), elements: [elements] });
const state = accumulator.state();
const rangeOf = (samples?: number, bits = 8): Range => mse.finish(state, observerOptions(mse, { bits }), samples)[0]!;

function errorOf({ min, max }: Range): number {
  const step = (max - min) / 255;
  return elements.reduce((sum, x) => {
    const inside = Math.min(Math.max(x, min), max);
    return sum + (x - Math.round(inside / step) * step) ** 2;
  }, 0);
}

it.each([4, 16, 100, 1024])('is the widest range within 1/√%i of the least error', (samples) => {
  const [best, range] = [rangeOf(), rangeOf(samples)];
  expect(range.min).toBeLessThanOrEqual(best.min);
  expect(range.max).toBeGreaterThanOrEqual(best.max);
  // Bins are 0.4 % of their value wide, and the error of a bin is that of evenly spread elements: within 1 % of the true error.
  const ratio = errorOf(range) / errorOf(best);
  expect(ratio).toBeLessThan((1 + 1 / Math.sqrt(samples)) * 1.01);
  if (range.min > low && range.max < high) expect(ratio).toBeGreaterThan((1 + 1 / Math.sqrt(samples)) * 0.98);
});

it('comes nearer to the least error with every sample, and is it for few bits', () => {
  const widths = [4, 16, 64, 256, 4096].map((samples) => rangeOf(samples).max);
  expect(widths).toEqual([...widths].sort((a, b) => b - a));
  // The first few reach the ends.
  expect(new Set(widths).size).toBeGreaterThan(2);
  expect(rangeOf(16, 4)).toEqual(rangeOf(undefined, 4));
});
