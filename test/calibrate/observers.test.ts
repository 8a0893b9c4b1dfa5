/** The contract, for every observer of the list; then what each one means. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observerOf, observerOptions, observers } from '../../src/calibrate/observers/index.ts';
import { minmax } from '../../src/calibrate/observers/minmax.ts';
import type { BatchStatistics } from '../../src/calibrate/observers/observer.ts';

const count = 3;
const value = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Per tensor a pair in order, or nothing at all. */
const batch: fc.Arbitrary<BatchStatistics> = fc
  .array(fc.option(fc.tuple(value, value)), { minLength: count, maxLength: count })
  .map((tensors) => ({
    min: Float32Array.from(tensors, (pair) => (pair ? Math.min(...pair) : Infinity)),
    max: Float32Array.from(tensors, (pair) => (pair ? Math.max(...pair) : -Infinity)),
  }));

describe.each(observers.map((observer) => [observer.id, observer] as const))('observer %s', (_, observer) => {
  const stateOf = (batches: readonly BatchStatistics[]) => {
    const state = observer.empty(count, observer.options);
    for (const each of batches) observer.add(state, each, observer.options);
    return state;
  };

  it('merges to the same bits in any order and grouping, with the empty state as neutral element', () => {
    fc.assert(
      fc.property(fc.array(batch), fc.array(batch), fc.array(batch), (x, y, z) => {
        const [a, b, c] = [stateOf(x), stateOf(y), stateOf(z)];
        const whole = stateOf([...x, ...y, ...z]);
        expect(observer.merge(observer.merge(a, b), c)).toEqual(whole);
        expect(observer.merge(c, observer.merge(b, a))).toEqual(whole);
        expect(observer.merge(a, observer.empty(count, observer.options))).toEqual(a);
        expect(a).toEqual(stateOf(x));
      }),
    );
  });

  it('gives ranges that hold zero', () => {
    fc.assert(
      fc.property(fc.array(batch), (batches) => {
        const ranges = observer.finish(stateOf(batches), observer.options);
        expect(ranges).toHaveLength(count);
        for (const { min, max } of ranges) expect(min <= 0 && max >= 0 && Number.isFinite(max - min)).toBe(true);
      }),
    );
  });

  it('reads back its own arrays and no others', () => {
    const state = stateOf([{ min: Float32Array.of(-1, 0, 2), max: Float32Array.of(1, 0, 3) }]);
    expect(observer.decode({ ...state }, count)).toEqual(state);
    expect(observer.decode({ ...state }, count + 1)).toBeUndefined();
    expect(observer.decode({}, count)).toBeUndefined();
  });
});

describe('minmax', () => {
  it('keeps the extremes, per tensor', () => {
    const state = minmax.empty(3, {});
    minmax.add(state, { min: Float32Array.of(-1, 2, Infinity), max: Float32Array.of(1, 3, -Infinity) }, {});
    minmax.add(state, { min: Float32Array.of(-5, 1, Infinity), max: Float32Array.of(0, 2, -Infinity) }, {});
    expect(minmax.finish(state, {})).toEqual([
      { min: -5, max: 1 },
      { min: 0, max: 3 },
      { min: 0, max: 0 },
    ]);
  });
});

describe('the list', () => {
  it('refuses an unknown observer or option, with the nearest', () => {
    expect(() => observerOf('minmx')).toThrow(
      expect.objectContaining({ code: 'CALIBRATE_OBSERVER', hint: "did you mean 'minmax'?" }),
    );
    expect(() => observerOptions(minmax, { percentile: 1 })).toThrow(
      expect.objectContaining({ code: 'CALIBRATE_OBSERVER_OPTION' }),
    );
  });
});
