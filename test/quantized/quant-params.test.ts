import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ortCpuX64Avx2 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { Model } from '../../src/graph/model.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { lint } from '../../src/quantized/lint/index.ts';
import {
  activationParams,
  badScales,
  codeRange,
  describeBadScale,
  quantizeTensor,
  representable,
  roundHalfEven,
} from '../../src/quantized/quant-params.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';

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

const modelWith = (x: number, w: readonly number[]): Model =>
  buildModel({
    inputs: { x: [1, 3, 4, 4] },
    outputs: { y: [1, 2, 4, 4] },
    initializers: {
      xs: scalar('float32', x),
      xz: scalar('uint8', 0),
      w: f32([2, 3, 1, 1]),
      ws: w.length === 1 ? scalar('float32', w[0]!) : f32([w.length], w),
      wz: { type: 'int8', dims: w.length === 1 ? [] : [w.length], data: new Int8Array(w.length) },
    },
    nodes: [
      node('QuantizeLinear', ['x', 'xs', 'xz'], ['xq']),
      node('DequantizeLinear', ['xq', 'xs', 'xz'], ['xd']),
      node('QuantizeLinear', ['w', 'ws', 'wz'], ['wq'], { axis: 0 }),
      node('DequantizeLinear', ['wq', 'ws', 'wz'], ['wd'], { axis: 0 }),
      node('Conv', ['xd', 'wd'], ['y']),
    ],
  });

/** Scales that are no scales: found wherever they stand, and named. */
describe('badScales', () => {
  it.each([
    ['a weight: NaN in one channel', modelWith(0.1, [0.1, NaN]), "n_wq its scale 'ws' holds NaN at [1]"],
    ['a weight: 0 in one channel', modelWith(0.1, [0, 0.1]), "n_wq its scale 'ws' holds 0 at [0]"],
    ['a weight: negative', modelWith(0.1, [-0.5]), "n_wq its scale 'ws' is -0.5"],
    ['a weight: infinite', modelWith(0.1, [Infinity]), "n_wq its scale 'ws' is Infinity"],
    ['an activation: NaN', modelWith(NaN, [0.1]), "n_xq its scale 'xs' is NaN"],
    ['an activation: 0', modelWith(0, [0.1]), "n_xq its scale 'xs' is 0"],
  ])('%s', (_, model, words) => {
    expect(badScales(model).map((bad) => `${bad.node.label} ${describeBadScale(bad)}`)).toEqual([words]);
    const found = lint(model, ortCpuX64Avx2).filter(({ rule }) => rule === 'scale');
    expect(found.map(({ node: label, message }) => `${label!} ${message}`)).toEqual([words]);
  });

  it('nothing is wrong with small ones', () => {
    expect(badScales(modelWith(1e-30, [1e-38, 3]))).toEqual([]);
  });
});
