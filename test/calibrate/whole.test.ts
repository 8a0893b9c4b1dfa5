/** Statistics from elements that lie in blocks equal those of the same tensor in rows. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counter } from '../../src/calibrate/kernels/counter.ts';
import { WholeReader } from '../../src/calibrate/whole.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';

const counter = new Counter();

/** [N, C, H, W] in blocks of channels, the last one filled up with `filling`, which no statistic may see. */
function inBlocks(values: Float32Array, dims: readonly number[], block: number, filling: number): TensorValue {
  const [images, channels, height, width] = dims as [number, number, number, number];
  const [filled, plane] = [block * Math.ceil(channels / block), height * width];
  const data = new Float32Array(images * filled * plane).fill(filling);
  for (let n = 0; n < images; n++)
    for (let c = 0; c < channels; c++)
      for (let at = 0; at < plane; at++)
        data[((n * filled) / block + Math.floor(c / block)) * plane * block + at * block + (c % block)] =
          values[(n * channels + c) * plane + at]!;
  return { type: 'float32', dims: [images, filled, height, width], data };
}

const sorted = (values: Float32Array): number[] => [...values].sort((a, b) => a - b);

describe('whole tensors', () => {
  it('have the same extremes, by channel too, and the same elements in blocks as in rows', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 8, 16),
        fc.tuple(...[2, 35, 5, 5].map((max) => fc.integer({ min: 1, max }))),
        fc.constantFrom(-100, 0, 100),
        fc.boolean(),
        fc.integer(),
        (block, dims, filling, byChannel, seed) => {
          const channels = dims[1]!;
          const length = dims.reduce((a, b) => a * b);
          const values = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + i * i)));
          const rows: TensorValue = { type: 'float32', dims, data: values };
          const blocks = inBlocks(values, dims, block, filling);
          const blocked = { channels: channels, block };
          const found = [rows, blocks].map((tensor) => {
            const apart = byChannel ? { channels: channels } : {};
            const reader = new WholeReader(
              { negative: true, ...apart, ...(tensor === blocks && { blocked }) },
              counter,
            );
            const elements = sorted(reader.read(tensor));
            return { extremes: { min: reader.min, max: reader.max }, maxima: reader.channels, elements };
          });
          expect(found[1]).toEqual(found[0]);
          expect(found[0]!.extremes).toEqual({ min: Math.min(...values), max: Math.max(...values) });
          expect(found[0]!.elements).toEqual(sorted(values));
          const plane = dims[2]! * dims[3]!;
          const maxima = Array.from({ length: channels }, (_, channel) =>
            Math.max(...values.filter((__, i) => Math.floor(i / plane) % channels === channel)),
          );
          if (byChannel) expect([...found[0]!.maxima!]).toEqual(maxima);
        },
      ),
    );
  });

  it('report NaN, 0 for -0, and infinities of the wrong order where there is nothing', () => {
    const of = (...numbers: number[]) => {
      const reader = new WholeReader({ negative: true }, counter);
      reader.read({ type: 'float32', dims: [numbers.length], data: Float32Array.from(numbers) });
      return { min: reader.min, max: reader.max };
    };
    expect(of(1, Number.NaN, 3)).toEqual({ min: Number.NaN, max: Number.NaN });
    expect(of(-0, -0)).toEqual({ min: 0, max: 0 });
    expect(of()).toEqual({ min: Infinity, max: -Infinity });
  });
});
