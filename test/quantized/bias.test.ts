import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/onnx/tensor.ts';
import { quantizeBias, repairOverflow } from '../../src/quantized/bias.ts';

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

describe('repairOverflow', () => {
  it('enlarges only the scales whose bias would not fit', () => {
    const scales = Float32Array.of(1e-12, 0.1);
    expect(repairOverflow(bias(100, 100), 1e-3, scales)).toEqual([0]);
    expect(scales[1]).toBe(Math.fround(0.1));
    const { codes, scales: biasScales } = quantizeBias(bias(100, 100), 1e-3, scales, 'q');
    // 2^30 codes leave a relative rounding error far below float32's own.
    expect(Number(codes.data()[0]) * biasScales[0]!).toBeCloseTo(100, 4);
    expect(Math.abs(Number(codes.data()[0]))).toBeLessThanOrEqual(2 ** 30 + 2 ** 7);
  });

  it('leaves ordinary biases alone', () => {
    expect(repairOverflow(bias(1, -1), 0.01, Float32Array.of(0.01, 0.01))).toEqual([]);
  });
});
