import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/onnx/tensor.ts';
import { quantizeWeights, weightScales, type WeightRequest } from '../../src/quantized/weights.ts';

const perChannel: WeightRequest = { type: 'int8', axis: 0, range: 'full', layout: 'conv' };

function tensor(dims: number[], values: Iterable<number>): Tensor {
  return Tensor.of('w', 'float32', dims, Float32Array.from(values));
}

const weights = fc
  .record({ m: fc.integer({ min: 1, max: 4 }), c: fc.integer({ min: 1, max: 7 }), k: fc.integer({ min: 1, max: 3 }) })
  .chain(({ m, c, k }) =>
    fc
      .array(fc.float({ noNaN: true, min: -8, max: 8 }), { minLength: m * c * k * k, maxLength: m * c * k * k })
      .map((values) => tensor([m, c, k, k], values)),
  );

describe('weightScales', () => {
  it('is the largest magnitude of each channel over 127', () => {
    const { scales, zeroPoint } = weightScales(tensor([2, 2, 1, 1], [1, -2, 0.5, 0.25]), perChannel);
    expect([...scales]).toEqual([Math.fround(2 / 127), Math.fround(0.5 / 127)]);
    expect(zeroPoint).toBe(0);
  });

  it('takes the channel axis anywhere', () => {
    const { scales } = weightScales(tensor([2, 3], [1, 2, 3, -4, 5, -6]), {
      ...perChannel,
      axis: 1,
      layout: 'columns',
    });
    expect([...scales]).toEqual([4, 5, 6].map((max) => Math.fround(max / 127)));
  });

  it('gives a dead channel scale 1 and zero codes', () => {
    const dead = tensor([2, 2, 1, 1], [0, 0, 1, 2]);
    const how = weightScales(dead, perChannel);
    expect(how.scales[0]).toBe(1);
    expect([...quantizeWeights(dead, how, 'q').data()].slice(0, 2)).toEqual([0, 0]);
  });

  it('centres unsigned weights on 128', () => {
    const w = tensor([1, 3, 1, 1], [-1, 0, 1]);
    const how = weightScales(w, { ...perChannel, type: 'uint8' });
    expect([...quantizeWeights(w, how, 'q').data()]).toEqual([1, 128, 255]);
  });
});

describe('quantizeWeights', () => {
  it('is within half a step of every weight', () => {
    fc.assert(
      fc.property(weights, fc.constantFrom(undefined, 0), (w, axis) => {
        const how = weightScales(w, { ...perChannel, axis });
        const codes = quantizeWeights(w, how, 'q').data();
        const inner = w.size / w.dims[0]!;
        w.floats().forEach((value, i) => {
          const scale = how.scales[axis === undefined ? 0 : Math.floor(i / inner)]!;
          // Half a step, plus the float32 rounding of the quotient (at most 127 · 2^-24 steps).
          expect(Math.abs(Number(codes[i]) * scale - value)).toBeLessThanOrEqual(scale * (0.5 + 127 * 2 ** -23));
        });
      }),
    );
  });

  it('reduced: seven bits', () => {
    const w = tensor([1, 2, 1, 1], [-3, 3]);
    expect([...quantizeWeights(w, weightScales(w, { ...perChannel, range: 'reduced' }), 'q').data()]).toEqual([
      -64, 64,
    ]);
  });
});

describe('pairs', () => {
  const request: WeightRequest = { ...perChannel, range: 'pairs' };

  it('never lets two neighbours overflow 16 bits, whatever the activations', () => {
    fc.assert(
      fc.property(weights, fc.constantFrom(undefined, 0), (w, axis) => {
        const codes = quantizeWeights(w, weightScales(w, { ...request, axis }), 'q').data();
        const [m, c, kh, kw] = w.dims as [number, number, number, number];
        for (let o = 0; o < m; o++) {
          const order: number[] = [];
          for (let y = 0; y < kh; y++) {
            for (let x = 0; x < kw; x++)
              for (let i = 0; i < c; i++) order.push(Number(codes[((o * c + i) * kh + y) * kw + x]));
          }
          for (let k = 0; k + 1 < order.length; k += 2) {
            const positive = 255 * (Math.max(order[k]!, 0) + Math.max(order[k + 1]!, 0));
            const negative = 255 * (Math.min(order[k]!, 0) + Math.min(order[k + 1]!, 0));
            expect(positive).toBeLessThanOrEqual(32767);
            expect(negative).toBeGreaterThanOrEqual(-32768);
          }
        }
      }),
    );
  });

  it('changes nothing when no pair is heavy', () => {
    const w = tensor([1, 4, 1, 1], [1, -1, 0.5, -0.25]);
    expect([...weightScales(w, request).scales]).toEqual([...weightScales(w, perChannel).scales]);
  });

  it('loses less than the seven-bit range', () => {
    const values = Array.from({ length: 8 * 64 }, (_, i) => Math.sin(i * 12.9898) * Math.cos(i * 78.233));
    const w = tensor([8, 64, 1, 1], values);
    const error = (range: 'pairs' | 'reduced'): number => {
      const how = weightScales(w, { ...perChannel, range });
      const codes = quantizeWeights(w, how, 'q').data();
      return values.reduce((sum, v, i) => sum + (v - Number(codes[i]) * how.scales[Math.floor(i / 64)]!) ** 2, 0);
    };
    expect(error('pairs')).toBeLessThan(error('reduced') * 0.8);
  });

  it('falls back to seven bits when the order of the kernel is not known', () => {
    const w = tensor([1, 2, 1, 1], [3, 3]);
    expect([...quantizeWeights(w, weightScales(w, { ...request, layout: undefined }), 'q').data()]).toEqual([64, 64]);
  });
});
