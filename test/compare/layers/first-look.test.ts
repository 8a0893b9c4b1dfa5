import { describe, expect, it } from 'vitest';
import { firstLook, firstLookSize, SampleErrors } from '../../../src/compare/layers/first-look.ts';
import type { PairedOutput } from '../../../src/compare/metrics/metric.ts';

const output = (ids: string[], float: number[], quant: number[]): PairedOutput => ({
  ids,
  dims: [ids.length, float.length / ids.length],
  float: Float32Array.from(float),
  quant: Float32Array.from(quant),
  labels: undefined,
});

describe('the samples of a first look', () => {
  it('are all of them where they are few', () => {
    expect(firstLook([])).toEqual([]);
    expect(firstLook([3, 1, 2])).toEqual([0, 1, 2]);
  });

  it('hold the four worst, and spread over the order of the others', () => {
    const errors = Array.from({ length: 64 }, (_, i) => (i * 37) % 64);
    const taken = firstLook(errors).map((at) => errors[at]!);
    expect(taken.length).toBe(firstLookSize);
    const descending = taken.toSorted((a, b) => b - a);
    expect(descending.slice(0, 4)).toEqual([63, 62, 61, 60]);
    // 60 others in 12 equal parts, one of each.
    expect(new Set(descending.slice(4).map((error) => Math.floor(error / 5))).size).toBe(12);
  });

  it('count a sample whose outputs are not numbers among the worst, and do not depend on how ties are sorted', () => {
    const errors = Array.from({ length: 40 }, () => 1);
    errors[33] = NaN;
    const taken = firstLook(errors);
    expect(taken).toContain(33);
    expect(taken).toEqual(taken.toSorted((a, b) => a - b));
    expect(taken.slice(0, 3)).toEqual([0, 1, 2]);
  });
});

describe('the error of each sample', () => {
  it('is a share of the signal of each output, and the same for any batch', () => {
    const whole = new SampleErrors();
    const a = (rows: number[]) => rows.flatMap((row) => [3 * row, 4 * row]);
    whole.add(
      new Map([
        ['a', output(['1', '2', '3'], a([1, 1, 2]), [3, 5, 3, 4, 9, 8])],
        ['b', output(['1', '2', '3'], [0.1, 0.1, 0.1], [0.1, 0.2, 0.1])],
      ]),
    );
    const split = new SampleErrors();
    split.add(
      new Map([
        ['a', output(['1'], [3, 4], [3, 5])],
        ['b', output(['1'], [0.1], [0.1])],
      ]),
    );
    split.add(
      new Map([
        ['a', output(['2', '3'], a([1, 2]), [3, 4, 9, 8])],
        ['b', output(['2', '3'], [0.1, 0.1], [0.2, 0.1])],
      ]),
    );
    // Σa² = 25 + 25 + 100; Σb² = 0.03.
    const expected = [1 / 150, 0.01 / 0.03, 9 / 150];
    whole.perSample().forEach((error, i) => expect(error).toBeCloseTo(expected[i]!, 6));
    expect(split.perSample()).toEqual(whole.perSample());
  });

  it('is a number where the float model gives nothing but zeros', () => {
    const errors = new SampleErrors();
    errors.add(new Map([['a', output(['1', '2'], [0, 0], [0, 1])]]));
    expect(errors.perSample()).toEqual([0, 1]);
  });
});
