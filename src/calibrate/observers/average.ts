/**
 * The range between the mean of the samples' smallest values and the mean of their largest. A running average would depend on the order of
 * samples; this one does not even in the last bit. A float32 number is
 *
 *     ± M · 2^(max(E, 1) - 150)
 *
 * with an integer mantissa M below 2^24 and an exponent field E from 0 to 254. The M are summed separately for each E, which is exact in
 * float64 up to 2^29 samples.
 */
import type { Observer, ObserverState } from './observer.ts';

/** Exponents of finite float32 numbers. */
const exponents = 255;

interface State extends ObserverState {
  /** Samples in which the tensor had elements. */
  readonly samples: Float64Array;
  /** Sums of signed mantissas by tensor and exponent. */
  readonly min: Float64Array;
  readonly max: Float64Array;
}

const keys = ['samples', 'min', 'max'] as const;

/** The observer `average`. */
export const average: Observer = {
  id: 'average',
  summary: 'mean over the samples of the smallest and of the largest value',
  needs: ['min', 'max'],
  elements: false,
  oneByOne: true,
  options: {},

  start(count) {
    const sums: State = {
      samples: new Float64Array(count),
      min: new Float64Array(count * exponents),
      max: new Float64Array(count * exponents),
    };
    return {
      add({ min, max }) {
        for (let i = 0; i < count; i++) {
          if (max[i] === -Infinity) continue;
          sums.samples[i]!++;
          addExact(sums.min, i, min[i]!);
          addExact(sums.max, i, max[i]!);
        }
      },
      state: () => Object.fromEntries(keys.map((key) => [key, sums[key].slice()])),
    };
  },

  merge: (a, b) =>
    Object.fromEntries(
      keys.map((key) => [key, (a as State)[key].map((value, i) => value + Number((b as State)[key][i]))]),
    ),

  finish(state) {
    const { samples, min, max } = state as State;
    const mean = (sums: Float64Array, i: number): number => (samples[i] === 0 ? 0 : total(sums, i) / samples[i]!);
    return Array.from(samples, (_, i) => ({ min: Math.min(mean(min, i), 0), max: Math.max(mean(max, i), 0) }));
  },

  decode(arrays, count) {
    const lengths = { samples: count, min: count * exponents, max: count * exponents };
    const whole = keys.every((key) => {
      const array = arrays[key];
      return array instanceof Float64Array && array.length === lengths[key] && array.every(Number.isSafeInteger);
    });
    return whole ? Object.fromEntries(keys.map((key) => [key, arrays[key]!])) : undefined;
  },
};

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

function addExact(sums: Float64Array, tensor: number, value: number): void {
  single[0] = value;
  const exponent = (bits[0]! >>> 23) & 0xff;
  const fraction = bits[0]! & 0x7fffff;
  // Subnormal numbers have no hidden bit.
  const mantissa = exponent === 0 ? fraction : fraction + 0x800000;
  sums[tensor * exponents + exponent]! += value < 0 ? -mantissa : mantissa;
}

function total(sums: Float64Array, tensor: number): number {
  let sum = 0;
  for (let exponent = 0; exponent < exponents; exponent++)
    sum += sums[tensor * exponents + exponent]! * 2 ** (Math.max(exponent, 1) - 150);
  return sum;
}
