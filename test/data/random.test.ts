import { describe, expect, it } from 'vitest';
import { random, xoshiro128 } from '../../src/data/random.ts';

describe('random', () => {
  it('is xoshiro128** (golden values of an independent implementation)', () => {
    const generator = xoshiro128(Uint32Array.of(1, 2, 3, 4));
    const values = Array.from({ length: 8 }, () => generator.uint32());
    expect(values).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849]);
  });

  it('gives the same numbers for a seed for ever', () => {
    const first = random(0);
    expect([first.uint32(), first.uint32(), first.uint32()]).toEqual([629231206, 250616056, 1807568732]);
    const other = random(7, 3);
    expect([other.uint32(), other.normal()]).toEqual([1108443707, -0.5827742028050125]);
  });

  it('distinguishes seeds and streams, also beyond 32 bits', () => {
    const starts = [random(0), random(1), random(0, 1), random(2 ** 32), random(0, 2 ** 32)].map((r) => r.uint32());
    expect(new Set(starts).size).toBe(5);
  });

  it('draws below a bound evenly', () => {
    const generator = random(3);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) counts[generator.below(6)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  it('has normal numbers of mean 0 and variance 1', () => {
    const generator = random(4);
    const values = Array.from({ length: 50_000 }, () => generator.normal());
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });
});
