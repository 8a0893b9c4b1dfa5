import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/onnx/tensor.ts';
import { fitScales, quantizeBias } from '../../src/quantized/bias.ts';

const bias = (...values: number[]): Tensor => Tensor.of('b', 'float32', [values.length], Float32Array.from(values));

describe('quantizeBias', () => {
  it('rounds to int32 at input scale × weight scale', () => {
    const { codes, scales } = quantizeBias(bias(1, -0.3), 0.5, Float32Array.of(0.25, 0.125), 'q');
    expect([...scales]).toEqual([0.125, 0.0625]);
    expect([...codes.data()]).toEqual([8, -5]);
    expect(codes.type.name).toBe('int32');
  });

  it('uses one scale for all when the weight has one', () => {
    const { codes, scales } = quantizeBias(bias(1, 2), 0.5, Float32Array.of(0.5), 'q');
    expect(scales.length).toBe(1);
    expect([...codes.data()]).toEqual([4, 8]);
  });
});

describe('fitScales', () => {
  const none = new Set<number>();
  const fit = (scales: Float32Array, silent: Iterable<number>, ...layers: [Tensor, number][]) =>
    fitScales(
      scales,
      new Set(silent),
      layers.map(([each, inputScale]) => ({ bias: each, inputScale })),
    );

  it('enlarges only the scales whose bias would not fit', () => {
    const scales = Float32Array.of(1e-12, 0.1);
    expect([...fit(scales, none, [bias(100, 100), 1e-3])]).toEqual([0]);
    expect(scales[1]).toBe(Math.fround(0.1));
    const { codes, scales: biasScales } = quantizeBias(bias(100, 100), 1e-3, scales, 'q');
    // 2^30 codes leave a relative rounding error far below float32's own.
    expect(Number(codes.data()[0]) * biasScales[0]!).toBeCloseTo(100, 4);
    expect(Math.abs(Number(codes.data()[0]))).toBeLessThanOrEqual(2 ** 30 + 2 ** 7);
  });

  it('leaves ordinary biases alone', () => {
    expect([...fit(Float32Array.of(0.01, 0.01), none, [bias(1, -1), 0.01])]).toEqual([]);
  });

  it('gives a channel of zeros the step of its bias, for every layer that reads it', () => {
    const scales = Float32Array.of(1, 0.5, 1);
    expect([...fit(scales, [0, 2], [bias(3, 1, 0), 0.5], [bias(-7, 1, 0), 0.25])]).toEqual([]);
    expect(scales[0]).toBe(Math.fround(7 / 0.25 / 2 ** 20));
    // Without a bias any scale is right; an ordinary one suits every runtime.
    expect([...scales.slice(1)]).toEqual([0.5, 0.5]);
    const { codes, scales: steps } = quantizeBias(bias(3, 1, 0), 0.5, scales, 'q');
    expect(Number(codes.data()[0]) * steps[0]!).toBeCloseTo(3, 4);
  });

  it('one scale for all: the largest bias decides', () => {
    const scales = Float32Array.of(1);
    fit(scales, [0], [bias(0.5, -4), 2]);
    expect(scales[0]).toBe(Math.fround(4 / 2 / 2 ** 20));
    const nothing = Float32Array.of(1);
    fit(nothing, [0]);
    expect(nothing[0]).toBe(1);
  });

  it('keeps the product of scales a normal number', () => {
    const scales = Float32Array.of(1e-37);
    fit(scales, none, [bias(0), 1e-4]);
    expect(Math.fround(scales[0]! * 1e-4)).toBeGreaterThan(2 ** -126);
  });
});
