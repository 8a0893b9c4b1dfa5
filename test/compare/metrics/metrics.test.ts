import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreement, top1, top5 } from '../../../src/compare/metrics/classification-metrics.ts';
import { cosine, maxAbs, meanAbs, sqnr } from '../../../src/compare/metrics/error-metrics.ts';
import { outputMetrics, taskMetrics } from '../../../src/compare/metrics/index.ts';
import type { OutputMetric, PairedOutput, TaskMetric } from '../../../src/compare/metrics/metric.ts';
import { reportSchema } from '../../../src/compare/report.ts';
import { wilsonInterval } from '../../../src/compare/statistics.ts';

function paired(
  dims: readonly number[],
  float: readonly number[],
  quant: readonly number[],
  labels?: readonly number[],
): PairedOutput {
  const ids = Array.from({ length: dims[0]! }, (_, i) => `s${i}`);
  return { ids, dims, float: Float32Array.from(float), quant: Float32Array.from(quant), labels };
}

function valueOf(metric: OutputMetric, ...parts: PairedOutput[]): number | null {
  const accumulator = metric.create();
  for (const part of parts) accumulator.add(part);
  return accumulator.value();
}

describe('sqnr', () => {
  it('is 10·log10 of signal over noise energy', () => {
    expect(valueOf(sqnr, paired([1, 2], [3, 4], [3, 3]))).toBeCloseTo(10 * Math.log10(25), 12);
    expect(valueOf(sqnr, paired([1, 4], [1, 1, 1, 1], [1.5, 1, 1, 1]))).toBeCloseTo(10 * Math.log10(16), 12);
  });

  it('takes all samples together, not the mean of their values', () => {
    const value = valueOf(sqnr, paired([1, 1], [100], [99]), paired([1, 1], [1], [0]));
    expect(value).toBeCloseTo(10 * Math.log10(10001 / 2), 12);
  });

  it('knows the ends', () => {
    expect(valueOf(sqnr, paired([1, 2], [1, 2], [1, 2]))).toBe(Infinity);
    expect(valueOf(sqnr, paired([1, 2], [0, 0], [0, 0]))).toBe(Infinity);
    expect(valueOf(sqnr, paired([1, 2], [0, 0], [0, 1]))).toBe(-Infinity);
  });

  it('accumulates in float64', () => {
    const accumulator = sqnr.create();
    accumulator.add(paired([1, 1], [4096], [4096]));
    for (let i = 0; i < 100; i++) accumulator.add(paired([1, 1], [1], [0]));
    // In float32, 2^24 + 1 is 2^24: the hundred small samples would vanish from the signal.
    expect(accumulator.value()).toBeCloseTo(10 * Math.log10((4096 ** 2 + 100) / 100), 10);
  });
});

describe('cosine', () => {
  it('follows the angle of the whole output', () => {
    expect(valueOf(cosine, paired([1, 2], [1, 0], [1, 1]))).toBeCloseTo(Math.SQRT1_2, 12);
    expect(valueOf(cosine, paired([1, 2], [1, 0], [0, 5]))).toBe(0);
    expect(valueOf(cosine, paired([1, 2], [1, 2], [-2, -4]))).toBeCloseTo(-1, 12);
    expect(valueOf(cosine, paired([1, 2], [3, 4], [0, 0]), paired([1, 2], [0, 0], [3, 4]))).toBe(0);
  });

  it('defines zero outputs', () => {
    expect(valueOf(cosine, paired([1, 1], [0], [0]))).toBe(1);
    expect(valueOf(cosine, paired([1, 1], [0], [2]))).toBe(0);
  });
});

describe('max-abs and mean-abs', () => {
  it('give the largest error with its first sample, and the mean', () => {
    const accumulator = maxAbs.create();
    accumulator.add(paired([3, 2], [0, 0, 5, 0, 1, 1], [0, 1, 2, 0, 4, 1]));
    expect(accumulator.value()).toBe(3);
    expect(accumulator.at!()).toBe('s1');
    expect(valueOf(meanAbs, paired([3, 2], [0, 0, 5, 0, 1, 1], [0, 1, 2, 0, 4, 1]))).toBeCloseTo(7 / 6, 12);
  });

  it('name no sample when nothing moved', () => {
    const accumulator = maxAbs.create();
    accumulator.add(paired([1, 1], [1], [1]));
    expect(accumulator.at!()).toBeUndefined();
  });
});

describe('agreement', () => {
  it('has the interval of as many trials as samples, however many tokens each has', () => {
    const intervalOf = (output: PairedOutput) => {
      const accumulator = agreement.create();
      accumulator.add(output);
      return accumulator.interval!();
    };
    const [one, tokens] = [paired([2, 2], [1, 2, 2, 1], [1, 2, 1, 2]), paired([2, 1, 2], [1, 2, 2, 1], [1, 2, 1, 2])];
    expect(intervalOf(one)).toEqual(wilsonInterval(0.5, 2));
    expect(intervalOf(tokens)).toEqual(wilsonInterval(0.5, 2));
    expect(intervalOf(paired([2, 1], [1, 2], [1, 2]))).toBeUndefined();
  });

  it('compares the argmax of the last axis', () => {
    expect(valueOf(agreement, paired([2, 3], [1, 2, 3, 9, 1, 1], [0, 0, 1, 1, 9, 1]))).toBe(0.5);
    expect(valueOf(agreement, paired([1, 2, 2], [1, 2, 2, 1], [1, 2, 2, 1]))).toBe(1);
  });

  it('takes the first of equal scores', () => {
    expect(valueOf(agreement, paired([1, 3], [1, 5, 5], [0, 7, 6]))).toBe(1);
    expect(valueOf(agreement, paired([1, 3], [1, 5, 5], [0, 6, 7]))).toBe(0);
  });

  it('has no meaning without a class axis', () => {
    expect(valueOf(agreement, paired([2, 1], [1, 2], [1, 2]))).toBeNull();
    expect(valueOf(agreement, paired([2], [1, 2], [1, 2]))).toBeNull();
    expect(valueOf(agreement, paired([1, 2, 1, 2], [1, 2, 3, 4], [1, 2, 3, 4]))).toBeNull();
  });
});

describe('top-k', () => {
  const counts = (metric: TaskMetric, ...parts: PairedOutput[]) => {
    const accumulator = metric.create();
    for (const part of parts) accumulator.add(part);
    return accumulator.value();
  };

  it('counts which model was right', () => {
    const float = [9, 0, 0, /**/ 0, 9, 0, /**/ 9, 0, 0, /**/ 0, 0, 9];
    const quant = [9, 0, 0, /**/ 9, 0, 0, /**/ 0, 9, 0, /**/ 0, 9, 0];
    const result = counts(top1, paired([4, 3], float, quant, [0, 1, 1, 0]));
    expect(result).toEqual({ bothRight: 1, onlyFloat: 1, onlyQuant: 1, bothWrong: 1 });
  });

  it('lets the first of equal scores win', () => {
    expect(counts(top1, paired([1, 2], [1, 1], [1, 1], [0])).bothRight).toBe(1);
    expect(counts(top1, paired([1, 2], [1, 1], [1, 1], [1])).bothWrong).toBe(1);
  });

  it('never calls NaN right', () => {
    expect(counts(top1, paired([1, 2], [2, 1], [NaN, 1], [0])).onlyFloat).toBe(1);
  });

  it('takes the five best for top5', () => {
    const scores = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    expect(counts(top5, paired([1, 10], scores, scores, [4])).bothRight).toBe(1);
    expect(counts(top5, paired([1, 10], scores, scores, [5])).bothWrong).toBe(1);
  });

  it('ignores samples without labels', () => {
    expect(counts(top1, paired([1, 2], [1, 0], [1, 0]))).toEqual({
      bothRight: 0,
      onlyFloat: 0,
      onlyQuant: 0,
      bothWrong: 0,
    });
  });
});

describe('every metric', () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }), fc.nat(1)), {
    minLength: 2,
    maxLength: 12,
  });
  const build = (samples: readonly (readonly [number, number, number])[]): PairedOutput =>
    paired(
      [samples.length, 2],
      samples.flatMap(([x]) => [x, 3]),
      samples.flatMap(([, y]) => [y, 3]),
      samples.map(([, , label]) => label),
    );

  it.each([...outputMetrics, ...taskMetrics])('$id gives the same for one batch, two batches and a merge', (metric) => {
    fc.assert(
      fc.property(rows, fc.nat(), (samples, at) => {
        const cut = at % samples.length;
        const [head, tail] = [build(samples.slice(0, cut)), build(samples.slice(cut))];
        const make = () => metric.create() as ReturnType<OutputMetric['create']>;
        const [whole, split, left, right] = [make(), make(), make(), make()];
        whole.add(build(samples));
        for (const part of [head, tail]) split.add(part);
        left.add(head);
        right.add(tail);
        left.merge(right);
        for (const other of [split.value(), left.value()]) {
          // Integers: every sum is exact, but that of the logarithms of KL, which rounds once per sample.
          if (metric.id === 'kl') expect(other).toBeCloseTo(whole.value()!, 9);
          else expect(other).toEqual(whole.value());
        }
      }),
      { numRuns: 50 },
    );
  });

  it('has a unique id and a field of the report', () => {
    const ids = [...outputMetrics, ...taskMetrics].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const fields = Object.keys(reportSchema.shape.outputs.element.shape);
    for (const { field } of outputMetrics) expect(fields).toContain(field);
  });

  it.each(outputMetrics)('$id is best for equal outputs and worse for different ones', (metric) => {
    const same = valueOf(metric, paired([1, 2], [1, 2], [1, 2]))!;
    const different = valueOf(metric, paired([1, 2], [1, 2], [2, 1]))!;
    expect(metric.better === 'higher' ? same > different : same < different).toBe(true);
  });
});
