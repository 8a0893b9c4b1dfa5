import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random } from '../../src/data/random.ts';
import { identity, type Activation, type BiasedLayer } from '../../src/improve/layers.ts';
import { shiftOf as shiftFrom } from '../../src/improve/shift.ts';
import { applied } from './applied.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';

const layer = (changes: Partial<BiasedLayer> = {}): BiasedLayer => ({
  tensor: 'y',
  seen: 'y',
  activation: identity,
  channels: 2,
  inner: 2,
  input: 2,
  ...changes,
});

const tensor = (dims: number[], data: Iterable<number>): TensorValue => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
});

const relu: Activation = { min: 0, max: Infinity, leak: 0 };
/** With the means that the outputs have, as the graph would tell them. */
function shiftOf(one: BiasedLayer, wanted: Float32Array[], outputs: readonly TensorValue[]): Float64Array {
  const seen = outputs.map(({ data }) => {
    const values = [...(data as Float32Array)].map((value) => applied(one.activation, value));
    return Float32Array.from({ length: one.channels }, (_, channel) => {
      const run = values.length / one.channels;
      return meanOf(values.filter((_, i) => (one.inner > 0 ? Math.floor(i / run) : i % one.channels) === channel));
    });
  });
  return shiftFrom(one, wanted, seen, outputs);
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('shiftOf', () => {
  it('is the difference of means where all samples agree on it', () => {
    const outputs = [0, 1, 2].map((sample) => tensor([1, 2, 1, 2], [sample, sample + 1, 4, 6]));
    const wanted = [0, 1, 2].map((sample) => Float32Array.of(sample + 0.75, 4));
    expect([...shiftOf(layer(), wanted, outputs)]).toEqual([0.25, -1]);
  });

  it('reads channels on the last axis alike', () => {
    const outputs = [0, 1, 2].map((sample) => tensor([2, 2], [sample, 4, sample + 1, 6]));
    const wanted = [0, 1, 2].map((sample) => Float32Array.of(sample + 0.75, 4));
    expect([...shiftOf(layer({ inner: 0 }), wanted, outputs)]).toEqual([0.25, -1]);
  });

  it('gives the mean that is wanted behind a Relu or Clip', () => {
    const limits = fc.constantFrom<Activation>(relu, { min: 0, max: 1, leak: 0 }, { ...relu, leak: 0.1 });
    const by = fc.double({ min: -0.1, max: 0.1, noNaN: true });
    fc.assert(
      fc.property(
        limits,
        fc.nat(),
        fc.double({ min: -0.5, max: 1, noNaN: true }),
        by,
        (range, seed, center, shifted) => {
          const draw = random(seed);
          const exact = Array.from({ length: 400 }, () => Math.fround(center + draw.normal() / 2));
          const output = tensor([1, 1, 400, 1], exact);
          const wanted = Float32Array.of(meanOf(exact.map((value) => applied(range, value + shifted))));
          const one = layer({ channels: 1, activation: range });
          const [shift] = shiftOf(one, [wanted, wanted, wanted], [output, output, output]);
          const reached = meanOf(exact.map((value) => applied(range, value + shift!)));
          const before = Math.abs(meanOf(exact.map((value) => applied(range, value))) - wanted[0]!);
          // Newton's method: what is left is of higher order in the shift. A float32 mean is off by 2^-24 of it.
          expect(Math.abs(reached - wanted[0]!)).toBeLessThanOrEqual(before / 20 + 2 ** -23);
        },
      ),
    );
  });

  it('leaves alone what may be chance, and channels that tell nothing', () => {
    const outputs = [-1, 1, -1, 1].map((sign) => tensor([1, 2, 1, 1], [sign, -5]));
    const wanted = outputs.map(() => Float32Array.of(0, 0));
    // Channel 0: errors of both signs, mean 0. Channel 1: never over 0.
    expect(shiftOf(layer(), wanted, outputs)[0]).toBe(0);
    expect(shiftOf(layer({ activation: relu }), wanted, outputs)[1]).toBe(0);
    const nan = outputs.map(() => Float32Array.of(NaN, 1));
    expect([...shiftOf(layer(), nan, outputs)]).toEqual([0, 6]);
  });

  it('shrinks by the squared standard error', () => {
    const outputs = [0, 0].map(() => tensor([1, 1], [0]));
    const wanted = [Float32Array.of(1), Float32Array.of(3)];
    // Mean 2, variance of the mean ((1 - 2)² + (3 - 2)²) / 1 / 2 = 1: 2 · (1 - 1 / 4).
    expect([...shiftOf(layer({ channels: 1, inner: 0 }), wanted, outputs)]).toEqual([1.5]);
  });
});
