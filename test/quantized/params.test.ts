import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/onnx/tensor.ts';
import {
  activationParams,
  codeRange,
  quantizeTensor,
  representable,
  roundHalfEven,
} from '../../src/quantized/quant-params.ts';

describe('activationParams', () => {
  // Scale and zero point of [-1, 3]: the values PyTorch's and onnxruntime's tools agree on.
  it('computes affine u8', () => {
    const params = activationParams({ min: -1, max: 3 }, 'uint8', false);
    expect(params.scale).toBe(Math.fround(4 / 255));
    expect(params.zeroPoint).toBe(64);
  });

  it('computes symmetric s8 with the divisor 127', () => {
    const params = activationParams({ min: -1, max: 3 }, 'int8', true);
    expect(params.scale).toBe(Math.fround(6 / 254));
    expect(params.zeroPoint).toBe(0);
  });

  it('puts the zero point of symmetric u8 in the middle, half to even', () => {
    expect(activationParams({ min: -2, max: 1 }, 'uint8', true).zeroPoint).toBe(128);
  });

  it('stretches a range to include zero', () => {
    expect(activationParams({ min: 2, max: 6 }, 'uint8', false)).toEqual({
      type: 'uint8',
      scale: Math.fround(6 / 255),
      zeroPoint: 0,
    });
    expect(activationParams({ min: -6, max: -2 }, 'int8', false)).toEqual({
      type: 'int8',
      scale: Math.fround(6 / 255),
      zeroPoint: 127,
    });
  });

  it('gives a constant zero tensor scale 1', () => {
    expect(activationParams({ min: 0, max: 0 }, 'uint8', false)).toEqual({ type: 'uint8', scale: 1, zeroPoint: 0 });
    expect(activationParams({ min: 0, max: 1e-44 }, 'int8', false)).toEqual({
      type: 'int8',
      scale: 1,
      zeroPoint: -128,
    });
  });

  it('always has a code for 0, and covers the range to half a step', () => {
    const range = fc.tuple(
      fc.float({ noNaN: true, min: -1e6, max: 1e6 }),
      fc.float({ noNaN: true, min: -1e6, max: 1e6 }),
    );
    const type = fc.constantFrom('uint8' as const, 'int8' as const, 'uint16' as const, 'int16' as const);
    fc.assert(
      fc.property(range, type, fc.boolean(), ([a, b], t, symmetric) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const params = activationParams({ min, max }, t, symmetric);
        const { qmin, qmax } = codeRange(t, symmetric);
        expect(params.zeroPoint).toBeGreaterThanOrEqual(qmin);
        expect(params.zeroPoint).toBeLessThanOrEqual(qmax);
        const covered = representable(params, symmetric);
        // Rounding the zero point moves the covered interval by up to half a step, float32 rounding by a little more.
        const slack = params.scale * 0.51;
        expect(covered.min).toBeLessThanOrEqual(Math.min(min, 0) + slack);
        expect(covered.max).toBeGreaterThanOrEqual(Math.max(max, 0) - slack);
      }),
    );
  });
});

describe('roundHalfEven', () => {
  it('breaks ties to even', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map(roundHalfEven).map((x) => x + 0)).toEqual([-2, -2, 0, 0, 2, 2]);
  });

  it('is the nearest integer elsewhere', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), (x) => {
        expect(Math.abs(roundHalfEven(x) - x)).toBeLessThanOrEqual(0.5);
      }),
    );
  });
});

describe('quantizeTensor', () => {
  it('divides in float32, rounds half to even, saturates', () => {
    const tensor = Tensor.of('t', 'float32', [5], Float32Array.of(0.5, 1.5, 2.5, 1000, -1000));
    const codes = quantizeTensor(tensor, { type: 'uint8', scale: 1, zeroPoint: 3 }, false, 'q');
    expect([...codes.data()]).toEqual([3, 5, 5, 255, 0]);
    expect(codes.name).toBe('q');
  });
});
