/** The contract, for every observer of the list; then what each one means. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observerOf, observerOptions, observers } from '../../src/calibrate/observers/index.ts';
import { minmax } from '../../src/calibrate/observers/minmax.ts';
import { encodeSafetensors } from '../../src/data/safetensors.ts';
import { settings as cliOptions } from '../../src/settings/settings.ts';
import type { BatchStatistics, ObserverState } from '../../src/calibrate/observers/observer.ts';

const count = 3;
/** Per tensor some elements, perhaps none at all. */
const batch: fc.Arbitrary<BatchStatistics> = fc
  .array(fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 5 }), {
    minLength: count,
    maxLength: count,
  })
  .map(statisticsOf);
const batches = fc.array(batch, { maxLength: 3 });
/** As a state file holds it: order of keys, types and bits all count. */
const bytesOf = (arrays: ObserverState): Buffer => Buffer.from(encodeSafetensors({ arrays, metadata: {} }));

function statisticsOf(elements: readonly Float32Array[]): BatchStatistics {
  return {
    min: Float32Array.from(elements, (each) => Math.min(...each)),
    max: Float32Array.from(elements, (each) => Math.max(...each)),
    elements,
    // The first as if it were whole; of one sample, so that its extremes count apart.
    strides: [1, 3, 5],
    fold: 0,
  };
}

describe.each(observers.map((observer) => [observer.id, observer] as const))('observer %s', (_, observer) => {
  const options = observerOptions(observer, {});
  const stateOf = (batches: readonly BatchStatistics[]) => {
    const accumulator = observer.start(count, options);
    for (const each of batches) accumulator.add(each);
    return accumulator.state();
  };

  it('merges to the same bits in any order and grouping, with the empty state as neutral element', () => {
    fc.assert(
      fc.property(batches, batches, batches, (x, y, z) => {
        const [a, b, c] = [stateOf(x), stateOf(y), stateOf(z)];
        const whole = bytesOf(stateOf([...z, ...x, ...y]));
        expect(bytesOf(observer.merge(observer.merge(a, b), c)).equals(whole)).toBe(true);
        expect(bytesOf(observer.merge(c, observer.merge(b, a))).equals(whole)).toBe(true);
        expect(bytesOf(observer.merge(a, stateOf([]))).equals(bytesOf(a))).toBe(true);
        expect(bytesOf(stateOf(x)).equals(bytesOf(a))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('gives ranges that hold zero', () => {
    fc.assert(
      fc.property(batches, (some) => {
        const ranges = observer.finish(stateOf(some), options);
        expect(ranges).toHaveLength(count);
        for (const { min, max } of ranges) expect(min <= 0 && max >= 0 && Number.isFinite(max - min)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('reads back its own arrays and no others', () => {
    const state = stateOf([statisticsOf([Float32Array.of(-1, 1), Float32Array.of(0), Float32Array.of(2, 3)])]);
    expect(observer.decode({ ...state }, count)).toEqual(state);
    expect(observer.decode({ ...state }, count + 1)).toBeUndefined();
    expect(observer.decode({}, count)).toBeUndefined();
    for (const key of Object.keys(state)) {
      expect(observer.decode({ ...state, [key]: state[key]!.slice(1) }, count), key).toBeUndefined();
      expect(observer.decode({ ...state, [key]: new Int8Array(state[key]!.length) }, count), key).toBeUndefined();
    }
  });
});

describe('minmax', () => {
  it('keeps the extremes, per tensor', () => {
    const accumulator = minmax.start(3, {});
    accumulator.add({ min: Float32Array.of(-1, 2, Infinity), max: Float32Array.of(1, 3, -Infinity) });
    accumulator.add({ min: Float32Array.of(-5, 1, Infinity), max: Float32Array.of(0, 2, -Infinity) });
    expect(minmax.finish(accumulator.state(), {})).toEqual([
      { min: -5, max: 1 },
      { min: 0, max: 3 },
      { min: 0, max: 0 },
    ]);
  });
});

describe('the list', () => {
  it('is what the command line offers', () => {
    expect(cliOptions.observer.choices).toEqual(observers.map(({ id }) => id));
  });

  it('refuses an unknown observer, option or value, with the nearest', () => {
    expect(() => observerOf('minmx')).toThrow(
      expect.objectContaining({ code: 'CALIBRATE_OBSERVER', hint: "did you mean 'minmax'?" }),
    );
    expect(() => observerOptions(minmax, { percentile: 1 })).toThrow(
      expect.objectContaining({ code: 'CALIBRATE_OBSERVER_OPTION' }),
    );
    for (const value of [49, 100.1, NaN])
      expect(() => observerOptions(observerOf('percentile'), { percentile: value })).toThrow(
        expect.objectContaining({ code: 'CALIBRATE_OBSERVER_VALUE' }),
      );
    expect(observerOptions(observerOf('percentile'), { percentile: 99 })).toEqual({ percentile: 99, exact: 0 });
  });
});
