import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  paretoFront,
  mcnemarExact,
  pairedInterval,
  quantile,
  spearman,
  wilsonInterval,
  wilsonTrials,
} from '../../src/compare/statistics.ts';

/** Exact binomial tail in BigInt arithmetic. */
function oracle(b: number, c: number): number {
  const n = b + c;
  let term = 1n;
  let sum = 1n;
  for (let k = 1; k <= Math.min(b, c); k++) {
    term = (term * BigInt(n - k + 1)) / BigInt(k);
    sum += term;
  }
  const scaled = (2n * sum * 10n ** 40n) / 2n ** BigInt(n);
  return Math.min(1, Number(scaled) / 1e40);
}

describe('mcnemarExact', () => {
  it('matches binomial values', () => {
    expect(mcnemarExact(0, 0)).toBe(1);
    expect(mcnemarExact(5, 0)).toBeCloseTo(2 / 32, 14);
    expect(mcnemarExact(7, 3)).toBeCloseTo(352 / 1024, 14);
    expect(mcnemarExact(3, 7)).toBe(mcnemarExact(7, 3));
    expect(mcnemarExact(4, 4)).toBe(1);
    expect(mcnemarExact(10, 1)).toBeCloseTo((2 * 12) / 2048, 14);
  });

  it('matches exact integer arithmetic, also where 2^-n underflows', () => {
    for (const [b, c] of [
      [12, 30],
      [148, 55],
      [700, 640],
    ] as const) {
      expect(mcnemarExact(b, c) / oracle(b, c)).toBeCloseTo(1, 9);
    }
    expect(mcnemarExact(3000, 3000)).toBe(1);
    expect(mcnemarExact(3000, 2800)).toBeGreaterThan(0.005);
    expect(mcnemarExact(3000, 2800)).toBeLessThan(0.01);
  });
});

describe('pairedInterval', () => {
  it('follows the formula of Agresti and Min', () => {
    // 4 cells + 0.5 each: n 102, lost 7.5, won 3.5.
    const [low, high] = pairedInterval({ bothRight: 54, onlyFloat: 7, onlyQuant: 3, bothWrong: 36 });
    const half = (1.959963984540054 / 102) * Math.sqrt(11 - 16 / 102);
    expect(low).toBeCloseTo(-4 / 102 - half, 12);
    expect(high).toBeCloseTo(-4 / 102 + half, 12);
  });

  it('is not certain when nothing flipped, and stays within [-1, 1]', () => {
    const [low, high] = pairedInterval({ bothRight: 10, onlyFloat: 0, onlyQuant: 0, bothWrong: 0 });
    expect(low).toBeLessThan(-0.05);
    expect(high).toBeCloseTo(-low, 12);
    expect(pairedInterval({ bothRight: 0, onlyFloat: 1, onlyQuant: 0, bothWrong: 0 })[0]).toBe(-1);
  });
});

describe('quantile', () => {
  it('interpolates as NumPy does', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.95)).toBeCloseTo(4.8, 12);
    expect(quantile([7], 0.95)).toBe(7);
  });
});

describe('spearman', () => {
  it('is 1 for any rising relation, -1 for a falling one, and shares ranks among equals', () => {
    expect(spearman([1, 2, 3, 4], [1, 8, 27, 64])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3], [5, 4, -Infinity])).toBeCloseTo(-1, 12);
    // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 4, 3]).statistic
    expect(spearman([1, 2, 2, 3, 5], [2, 1, 4, 4, 3])).toBeCloseTo(0.3947368421052632, 12);
    expect(spearman([1], [2])).toBeNaN();
  });
});

describe('wilsonInterval', () => {
  // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%d of %d', (hits, n, low, high) => {
    const interval = wilsonInterval(hits / n, n);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });

  it('leaves a bound out from as many trials on as wilsonTrials says', () => {
    for (const [share, bound] of [
      [1, 0.98],
      [0.99, 0.97],
      [0.95, 0.97],
    ] as const) {
      const n = wilsonTrials(share, bound);
      const holds = (trials: number): boolean => {
        const [low, high] = wilsonInterval(share, trials);
        return low <= bound && bound <= high;
      };
      expect(holds(n + 1)).toBe(false);
      expect(holds(n - 2)).toBe(true);
    }
  });
});

describe('paretoFront', () => {
  it('leaves out what another beats, and keeps equals', () => {
    const [small, fast, both, beaten] = [
      [4, 1],
      [1, 3],
      [4, 3],
      [3, 3],
    ] as const;
    expect(paretoFront([small, fast])).toEqual([true, true]);
    expect(paretoFront([small, fast, both, beaten])).toEqual([false, false, true, false]);
    expect(paretoFront([both, both])).toEqual([true, true]);
  });

  it('does not hold against a model what was not measured', () => {
    expect(
      paretoFront([
        [3, undefined],
        [2, 9],
      ]),
    ).toEqual([true, false]);
    expect(
      paretoFront([
        [undefined, undefined],
        [2, 9],
      ]),
    ).toEqual([true, true]);
  });

  it('is never empty, and every other candidate is beaten by one on it', () => {
    const merits = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(merits, (all) => {
        const front = paretoFront(all);
        expect(front).toContain(true);
        all.forEach((own, i) => {
          const beaten = all.some(
            (other, j) => front[j]! && other.every((merit, k) => merit >= own[k]!) && String(other) !== String(own),
          );
          expect(front[i]).toBe(!beaten);
        });
      }),
    );
  });
});
