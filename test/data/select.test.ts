import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose, positionsOf } from '../../src/data/select.ts';

const count = fc.integer({ min: 1, max: 300 });
const seed = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('choose', () => {
  it('never changes its choice (golden values)', () => {
    expect(choose(20, 6, 0).chosen).toEqual([4, 6, 7, 14, 15, 16]);
    expect(choose(20, 6, 1).chosen).toEqual([2, 7, 9, 10, 17, 19]);
    expect(choose(1000, 5, 42).chosen).toEqual([58, 152, 346, 674, 918]);
  });

  it('splits all positions into two ascending parts', () => {
    fc.assert(
      fc.property(count, fc.nat(300), seed, (total, samples, s) => {
        const { chosen, rest } = choose(total, samples, s) as { chosen: readonly number[]; rest: readonly number[] };
        expect(chosen.length).toBe(Math.min(total, samples));
        const ascending = (list: readonly number[]) => list.every((value, i) => i === 0 || list[i - 1]! < value);
        expect(ascending(chosen) && ascending(rest)).toBe(true);
        expect([...chosen, ...rest].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
      }),
    );
  });

  it('keeps every smaller choice inside a larger one', () => {
    fc.assert(
      fc.property(count, fc.nat(300), seed, (total, samples, s) => {
        const larger = new Set(choose(total, samples + 1, s).chosen as number[]);
        expect((choose(total, samples, s).chosen as number[]).every((position) => larger.has(position))).toBe(true);
      }),
    );
  });

  it('takes all, and says so, when more is asked for than there is', () => {
    const choice = choose(3, 10, 0);
    expect(choice).toMatchObject({ chosen: [0, 1, 2], rest: [] });
    expect(choice.note).toContain('3');
    expect(choose(3, 3, 0).note).toBeUndefined();
  });

  it('takes the first of a stream', () => {
    expect(choose(undefined, 8, 0)).toMatchObject({ chosen: { from: 0, to: 8 }, rest: { from: 8 } });
  });
});

describe('positionsOf', () => {
  it('ends a range at the data', () => {
    expect([...positionsOf({ from: 2 }, 5)]).toEqual([2, 3, 4]);
    expect([...positionsOf({ from: 1, to: 3 }, 5)]).toEqual([1, 2]);
    expect([...positionsOf({ from: 4, to: 9 }, 5)]).toEqual([4]);
  });

  it('refuses positions that do not exist', () => {
    expect(() => [...positionsOf([5], 5)]).toThrow(RangeError);
  });
});
