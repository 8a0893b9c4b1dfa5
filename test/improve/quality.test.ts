import { describe, expect, it } from 'vitest';
import { addRatios, isBetter } from '../../src/improve/quality.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';

const float = (...data: number[]): TensorValue => ({
  type: 'float32',
  dims: [data.length],
  data: Float32Array.from(data),
});
const ints = (...data: number[]): TensorValue => ({ type: 'int32', dims: [data.length], data: Int32Array.from(data) });

describe('addRatios', () => {
  it('is signal over noise by sample', () => {
    const quality = new Map<string, number[]>();
    addRatios(quality, { y: float(3, 4) }, { y: float(3, 4.5) });
    addRatios(quality, { y: float(10) }, { y: float(9) });
    expect(quality.get('y')).toEqual([20, 20]);
  });

  it('leaves out what cannot be compared, and infinities in both', () => {
    const quality = new Map<string, number[]>();
    const expected = { i: ints(1), list: float(1, 2), y: float(-Infinity, 3) };
    addRatios(quality, expected, { i: ints(1), list: float(1), y: float(-Infinity, 3) });
    // No better than float32 itself can tell.
    expect([...quality]).toEqual([['y', [140]]]);
  });
});

describe('isBetter', () => {
  const before = new Map([
    ['a', [20, 20, 20]],
    ['b', [30, 30, 30]],
  ]);

  it.each([
    [{ a: [21, 21.2, 20.9], b: [30, 30.1, 30] }, true],
    [{ a: [20, 20, 20], b: [30, 30, 30] }, false],
    // One sample only.
    [{ a: [26, 20, 20], b: [30, 30, 30] }, false],
    // At the cost of the other.
    [{ a: [25, 25, 25], b: [29, 29, 29.1] }, false],
    [{}, false],
  ])('%j: %s', (after, better) => {
    expect(isBetter(before, new Map(Object.entries(after) as [string, number[]][]))).toBe(better);
  });
});
