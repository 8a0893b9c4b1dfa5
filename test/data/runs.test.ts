import { describe, expect, it } from 'vitest';
import { realRows, repeatedAxis } from '../../src/data/runs.ts';

/** [steps, rows, 2], sample `s` being 100·s. */
const series = (steps: number, samples: readonly number[]) => ({
  dims: [steps, samples.length, 2],
  data: Float32Array.from({ length: steps * samples.length * 2 }, (_, at) => {
    const [step, sample, i] = [Math.floor(at / 2 / samples.length), Math.floor(at / 2) % samples.length, at % 2];
    return 100 * samples[sample]! + 10 * step + i;
  }),
});

describe('rows of a filled-up batch', () => {
  it('lie where the result of equal samples repeats itself, whatever the sizes', () => {
    expect(repeatedAxis(series(3, [1, 1, 1]), 3)).toBe(1);
    expect(repeatedAxis(series(4, [1, 1]), 2)).toBe(1);
    expect(repeatedAxis({ dims: [4, 2], data: Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4) }, 2)).toBe(0);
    // Kernels may differ in the last bit.
    expect(repeatedAxis({ dims: [2, 2], data: Float32Array.of(1, 2, 1 + 1e-7, 2) }, 2)).toBe(0);
    expect(repeatedAxis({ dims: [4], data: BigInt64Array.of(1n, 2n, 1n, 2n) }, 2)).toBe(0);
  });

  it('are not found where a result mixes or numbers them', () => {
    expect(repeatedAxis({ dims: [4, 2], data: Float32Array.of(0, 9, 0, 8, 1, 9, 1, 8) }, 2)).toBeUndefined();
    expect(repeatedAxis({ dims: [3], data: Float32Array.of(1, 1, 1) }, 2)).toBeUndefined();
    expect(repeatedAxis({ dims: [0, 3], data: new Float32Array() }, 2)).toBeUndefined();
  });

  it('come first, without those that filled up', () => {
    const { dims, data } = realRows(series(2, [1, 2, 2]), 1, 3, 2);
    expect([dims, ...data]).toEqual([[2, 2, 2], 100, 101, 110, 111, 200, 201, 210, 211]);
    const first = realRows({ dims: [4, 1], data: Float32Array.of(1, 2, 3, 4) }, 0, 2, 1);
    expect([first.dims, ...first.data]).toEqual([[2, 1], 1, 2]);
  });
});
