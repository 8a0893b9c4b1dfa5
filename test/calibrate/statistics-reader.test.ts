/** Statistics of tensors that leave the graph whole, from their elements. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counter } from '../../src/calibrate/kernels/counter.ts';
import { TensorReader } from '../../src/calibrate/statistics-reader.ts';

const counter = new Counter();

describe('whole tensors', () => {
  it('have their extremes, by channel too', () => {
    fc.assert(
      fc.property(
        fc.tuple(...[2, 35, 5, 5].map((max) => fc.integer({ min: 1, max }))),
        fc.boolean(),
        fc.integer(),
        (dims, byChannel, seed) => {
          const channels = dims[1]!;
          const length = dims.reduce((a, b) => a * b);
          const values = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + i * i)));
          const reader = new TensorReader({ negative: true, ...(byChannel && { channels }) }, counter);
          reader.read({ type: 'float32', dims, data: values });
          expect({ min: reader.min, max: reader.max }).toEqual({ min: Math.min(...values), max: Math.max(...values) });
          const plane = dims[2]! * dims[3]!;
          const maxima = Array.from({ length: channels }, (_, channel) =>
            Math.max(...values.filter((__, i) => Math.floor(i / plane) % channels === channel)),
          );
          if (byChannel) expect([...reader.channels!]).toEqual(maxima);
        },
      ),
    );
  });

  it('report NaN, 0 for -0, and infinities of the wrong order where there is nothing', () => {
    const of = (...numbers: number[]) => {
      const reader = new TensorReader({ negative: true }, counter);
      reader.read({ type: 'float32', dims: [numbers.length], data: Float32Array.from(numbers) });
      return { min: reader.min, max: reader.max };
    };
    expect(of(1, Number.NaN, 3)).toEqual({ min: Number.NaN, max: Number.NaN });
    expect(of(-0, -0)).toEqual({ min: 0, max: 0 });
    expect(of()).toEqual({ min: Infinity, max: -Infinity });
  });
});
