/** Weight observers against a brute force that gathers each group by itself and quantizes it code by code. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settings as cliOptions } from '../../src/settings/settings.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import {
  weightObserverOf,
  weightObservers,
  blockGroups,
  channelGroups,
  type Groups,
} from '../../src/quantized/weight-observers.ts';
import { quantizeWeights, weightScales } from '../../src/quantized/weights.ts';

const dims = fc.tuple(
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 3 }),
  fc.constantFrom(4, 8, 12),
) as fc.Arbitrary<[number, number, number]>;
const weights = dims.chain(([a, b, c]) =>
  fc
    .array(fc.float({ noNaN: true, min: -8, max: 8 }), { minLength: a * b * c, maxLength: a * b * c })
    .map((values) => ({ dims: [a, b, c], values: Float32Array.from(values) })),
);
const grouping = fc.constantFrom(
  (shape: readonly number[]) => channelGroups(shape, undefined),
  (shape: readonly number[]) => channelGroups(shape, 0),
  (shape: readonly number[]) => channelGroups(shape, 1),
  (shape: readonly number[]) => channelGroups(shape, 2),
  (shape: readonly number[]) => blockGroups(shape, 4),
);
const tops = fc.constantFrom(127, 64, 7, 1);

function gathered(values: Float32Array, { count, inner }: Groups): number[][] {
  const groups: number[][] = Array.from({ length: count }, () => []);
  values.forEach((value, i) => groups[Math.floor(i / inner) % count]!.push(value));
  return groups;
}

function errorOf(group: readonly number[], scale: number, top: number): number {
  return group.reduce((sum, value) => {
    // Half to even cannot matter: either neighbour is as far.
    const code = Math.min(Math.max(Math.round(value / scale), -top), top);
    return sum + (value - code * scale) ** 2;
  }, 0);
}

describe.each(weightObservers.map((observer) => [observer.id, observer] as const))(
  'weight observer %s',
  (_, observer) => {
    it('gives one usable float32 scale per group, 1 for zeros, and follows a power of two exactly', () => {
      fc.assert(
        fc.property(weights, grouping, tops, ({ dims: shape, values }, groupsOf, top) => {
          const groups = groupsOf(shape);
          const scales = observer.scales(values, groups, top);
          expect(scales).toHaveLength(groups.count);
          const doubled = observer.scales(
            values.map((value) => 2 * value),
            groups,
            top,
          );
          gathered(values, groups).forEach((group, g) => {
            const largest = Math.max(...group.map(Math.abs));
            if (largest === 0) expect(scales[g]).toBe(1);
            else expect(scales[g]).toBeGreaterThan(0);
            if (largest > 1e-30) expect(doubled[g]).toBe(2 * scales[g]!);
          });
        }),
      );
    });
  },
);

describe('max', () => {
  it('clips nothing and wastes no code', () => {
    fc.assert(
      fc.property(weights, grouping, tops, ({ dims: shape, values }, groupsOf, top) => {
        const groups = groupsOf(shape);
        const scales = weightObserverOf('max').scales(values, groups, top);
        gathered(values, groups).forEach((group, g) => {
          const largest = Math.max(...group.map(Math.abs));
          if (largest > 1e-30) expect(scales[g]).toBe(Math.fround(largest / top));
        });
      }),
    );
  });
});

describe('mse', () => {
  it('has the least squared error of all candidates, in every group', () => {
    fc.assert(
      fc.property(weights, grouping, tops, ({ dims: shape, values }, groupsOf, top) => {
        const groups = groupsOf(shape);
        const scales = weightObserverOf('mse').scales(values, groups, top);
        gathered(values, groups).forEach((group, g) => {
          const largest = Math.max(...group.map(Math.abs));
          if (largest < 1e-30) return;
          const tried = Array.from({ length: 80 }, (_, i) =>
            errorOf(group, Math.fround((largest * (1 - i / 100)) / top), top),
          );
          // The float32 quotient may round to the other code beside a tie, whose distance differs by 2^-24 of the value.
          expect(errorOf(group, scales[g]!, top)).toBeLessThanOrEqual(
            Math.min(...tried) * (1 + 1e-5) + 1e-12 * largest ** 2,
          );
        });
      }),
    );
  });

  it('clips an outlier at 4 bits, and keeps its hands off an even distribution', () => {
    const bulk = Array.from({ length: 1000 }, (_, i) => Math.sin(i * 12.9898));
    const one = channelGroups([1001], undefined);
    const clipped = weightObserverOf('mse').scales(Float32Array.from([...bulk, 3]), one, 7)[0]!;
    expect(clipped * 7).toBeLessThan(2);
    const uniform = Float32Array.from({ length: 255 }, (_, i) => i - 127);
    expect(weightObserverOf('mse').scales(uniform, channelGroups([255], undefined), 127)).toEqual(Float32Array.of(1));
  });

  it('never makes int8 weights worse than max, per channel or per tensor', () => {
    fc.assert(
      fc.property(
        weights,
        fc.constantFrom(undefined, 0),
        fc.constantFrom('full', 'reduced'),
        ({ dims: shape, values }, axis, range) => {
          const tensor = Tensor.of('w', 'float32', shape, values);
          const loss = (observer: string): number => {
            const how = weightScales(tensor, { type: 'int8', axis, range, layout: 'conv', observer });
            const codes = quantizeWeights(tensor, how, 'q').data();
            const inner = values.length / shape[0]!;
            return values.reduce((sum, value, i) => {
              const scale = how.scales[axis === undefined ? 0 : Math.floor(i / inner)]!;
              return sum + (value - Number(codes[i]) * scale) ** 2;
            }, 0);
          };
          expect(loss('mse')).toBeLessThanOrEqual(loss('max') * (1 + 1e-9) + 1e-30);
        },
      ),
    );
  });
});

describe('the list', () => {
  it('is what the command line offers, and names the nearest', () => {
    expect(cliOptions.weightObserver.choices).toEqual(weightObservers.map(({ id }) => id));
    expect(() => weightObserverOf('msee')).toThrow(
      expect.objectContaining({ code: 'QUANT_WEIGHT_OBSERVER', hint: "did you mean 'mse'?" }),
    );
  });

  it('has no blocks that do not fill the axis', () => {
    expect(() => blockGroups([2, 6], 4)).toThrow(RangeError);
    expect(blockGroups([2, 8], 4)).toEqual({ count: 4, inner: 4 });
  });
});
