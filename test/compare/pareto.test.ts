import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paretoFront } from '../../src/compare/pareto.ts';

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
