import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { match, overlap, suppress, type Box } from '../../../src/compare/metrics/detection.ts';
import { SampleMean, SampleRatio } from '../../../src/compare/statistics.ts';
import { kl } from '../../../src/compare/metrics/classification-metrics.ts';
import type { PairedOutput } from '../../../src/compare/metrics/metric.ts';
import { normL2 } from '../../../src/compare/metrics/error-metrics.ts';
import { taskEvaluator, tasks } from '../../../src/compare/metrics/index.ts';
import { loadMetric } from '../../../src/compare/user-metric.ts';
import { temporaryFolder } from '../support.ts';

const paired = (dims: readonly number[], float: readonly number[], quant: readonly number[]): PairedOutput => ({
  ids: Array.from({ length: dims[0]! }, (_, i) => `s${i}`),
  dims,
  float: Float32Array.from(float),
  quant: Float32Array.from(quant),
  labels: undefined,
});
const box = (x1: number, y1: number, x2: number, y2: number, score = 1, label = 0): Box => ({
  ...{ x1, y1, x2, y2, score, label },
});

describe('output metrics', () => {
  it('norm-l2 is √(Σ(x−y)² / Σx²), as √(10^(−SQNR/10))', () => {
    const metric = normL2.create();
    metric.add(paired([1, 2], [3, 4], [3, 4.5]));
    expect(metric.value()).toBeCloseTo(0.5 / 5, 7);
    const equal = normL2.create();
    equal.add(paired([1, 2], [0, 0], [0, 0]));
    expect(equal.value()).toBe(0);
  });

  it('kl takes distributions as they are and scores through softmax', () => {
    const plain = kl.create();
    plain.add(paired([1, 2], [0.75, 0.25], [0.5, 0.5]));
    const expected = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
    expect(plain.value()).toBeCloseTo(expected, 6);
    const scores = kl.create();
    // softmax([ln 3, 0]) = [3/4, 1/4]; a constant added to all scores changes nothing
    scores.add(paired([1, 2], [Math.log(3) + 50, 50], [-7, -7]));
    expect(scores.value()).toBeCloseTo(expected, 5);
    const image = kl.create();
    image.add(paired([1, 2, 1, 1], [1, 2], [1, 2]));
    expect(image.value()).toBeNull();
  });
});

describe('boxes', () => {
  it('overlap by intersection over union', () => {
    expect(overlap(box(0, 0, 2, 2), box(1, 1, 3, 3))).toBeCloseTo(1 / 7, 12);
    expect(overlap(box(0, 0, 1, 1), box(1, 0, 2, 1))).toBe(0);
    expect(overlap(box(0, 0, 1, 1), box(0, 0, 1, 1))).toBe(1);
  });

  it('suppress the lesser of two of one class only', () => {
    const best = box(0, 0, 10, 10, 0.9);
    const near = box(1, 0, 11, 10, 0.8);
    const other = box(1, 0, 11, 10, 0.7, 1);
    expect(suppress([near, other, best], 0.5)).toEqual([best, other]);
  });

  it('match once each, by class', () => {
    const a = box(0, 0, 10, 10);
    expect(match([a, box(1, 0, 11, 10)], [box(0, 0, 10, 10)], 0.5)).toHaveLength(1);
    expect(match([a], [box(0, 0, 10, 10, 1, 1)], 0.5)).toEqual([]);
  });
});

describe('detection', () => {
  // Two boxes per sample, background and one class.
  const boxes = [0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1];
  const scores = (a: number, b: number): number[] => [1 - a, a, 1 - b, b];

  it('is F1 of the matched boxes with counts and interval', () => {
    const judge = taskEvaluator('detection', []);
    judge.add(
      new Map([
        ['boxes', paired([2, 2, 4], [...boxes, ...boxes], [...boxes, ...boxes])],
        [
          'scores',
          paired([2, 2, 2], [...scores(0.9, 0.8), ...scores(0.9, 0.1)], [...scores(0.9, 0.2), ...scores(0.9, 0.1)]),
        ],
      ]),
    );
    const [row] = judge.scores();
    // Float: 2 + 1 boxes, int8: 1 + 1, matched: 1 + 1.
    expect(row).toMatchObject({
      metric: 'detection.f1',
      n: 2,
      float: 1,
      detail: { matched: 2, floatBoxes: 3, quantBoxes: 2 },
    });
    expect(row!.quant).toBeCloseTo(4 / 5, 12);
    expect(row!.detail!['meanIou']).toBeCloseTo(1, 6);
    expect(row!.ci95![1]).toBeLessThanOrEqual(0);
  });

  it('reads other settings and names what does not fit', () => {
    const strict = taskEvaluator('detection', ['score=0.95']);
    const same = new Map([
      ['boxes', paired([1, 2, 4], boxes, boxes)],
      ['scores', paired([1, 2, 2], scores(0.9, 0.8), scores(0.9, 0.8))],
    ]);
    strict.add(same);
    expect(strict.scores()).toEqual([]);
    expect(() => taskEvaluator('detection', []).add(new Map([['logits', paired([1, 2], [1, 2], [1, 2])]]))).toThrow(
      /it needs boxes \[samples, boxes, 4\]/,
    );
    expect(() => taskEvaluator('detection', ['scores=nothing']).add(same)).toThrow(/there is no output 'nothing'/);
    expect(() => taskEvaluator('detection', ['skore=1'])).toThrow(/no setting of task/);
    expect(() => taskEvaluator('detection', ['score=high'])).toThrow(/no setting of task/);
    expect(() => taskEvaluator('detecton', [])).toThrow(/no task 'detecton'/);
  });
});

describe('the other tasks', () => {
  it('segmentation: mean IoU of the classes seen, and equal pixels', () => {
    const judge = taskEvaluator('segmentation', []);
    // Four pixels, two classes: float 0 0 1 1, int8 0 1 1 1.
    judge.add(new Map([['mask', paired([1, 2, 2, 2], [1, 1, 0, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 1, 1, 1])]]));
    const [miou, pixels] = judge.scores();
    expect(miou!.quant).toBeCloseTo((1 / 2 + 2 / 3) / 2, 12);
    expect(pixels!.quant).toBeCloseTo(3 / 4, 12);
  });

  it('segmentation: one channel is cut at the threshold', () => {
    const judge = taskEvaluator('segmentation', ['threshold=0']);
    judge.add(new Map([['mask', paired([1, 1, 1, 2], [-1, 1], [-2, 3])]]));
    expect(judge.scores()[0]!.quant).toBe(1);
  });

  it('regression: root mean square and mean absolute error of each output', () => {
    const judge = taskEvaluator('regression', []);
    judge.add(new Map([['pose', paired([2, 2], [0, 0, 0, 0], [3, 4, 0, 0])]]));
    const [rmse, mae] = judge.scores();
    expect(rmse!.quant).toBeCloseTo(2.5, 12);
    expect(mae!.quant).toBeCloseTo(7 / 4, 12);
  });

  it('sequence: log probability of the preferred tokens, per position', () => {
    const judge = taskEvaluator('sequence', []);
    const float = [Math.log(3), 0, 0, Math.log(3)];
    judge.add(new Map([['logits', paired([1, 2, 2], float, [0, 0, 0, Math.log(3)])]]));
    const [logprob, tokens] = judge.scores();
    // Position 0 falls from 3/4 to 1/2; ties go to the first token.
    expect(logprob!.quant).toBeCloseTo(Math.log(1.5) / 2, 6);
    expect(tokens!.quant).toBe(1);
  });

  it('declare the metrics that they report', () => {
    for (const { id, metrics } of tasks)
      for (const metric of metrics) expect(metric.id.startsWith(`${id}.`)).toBe(true);
  });
});

describe('figures over samples', () => {
  it('have the mean and its normal interval', () => {
    const mean = new SampleMean();
    for (const value of [1, 2, 3, 4]) mean.add(value);
    // Standard error √(5/3 / 4).
    expect(mean.interval()![1]).toBeCloseTo(2.5 + 1.959964 * Math.sqrt(5 / 12), 5);
  });

  it('have a ratio whose interval vanishes where every sample has the same', () => {
    const ratio = new SampleRatio();
    for (const weight of [1, 5, 9]) ratio.add(0.5 * weight, weight);
    expect(ratio.value).toBe(0.5);
    expect(ratio.interval()![1]).toBeCloseTo(0.5, 12);
  });
});

describe("a user's metric", () => {
  const folder = temporaryFolder();
  const module = (name: string, text: string): string => {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, text);
    return path;
  };

  it('sees every output of every sample', async () => {
    const judge = await loadMetric(
      module(
        'worst',
        `export default { id: 'worst', unit: 'mm', better: 'lower', perfect: 0, create() {
          let worst = 0, n = 0;
          return {
            add({ ids, outputs: { pose } }) {
              n += ids.length;
              pose.float.forEach((x, i) => { worst = Math.max(worst, Math.abs(x - pose.quant[i])); });
            },
            value: () => ({ n, quant: worst }),
          };
        } };`,
      ),
    );
    judge.add(new Map([['pose', paired([2, 1], [1, 2], [1.5, 2])]]));
    expect(judge.scores()).toEqual([
      { metric: 'worst', output: 'pose', unit: 'mm', better: 'lower', n: 2, float: 0, quant: 0.5 },
    ]);
  });

  it('is refused by name when it is none', async () => {
    await expect(loadMetric(module('none', 'export const a = 1;'))).rejects.toThrow(/none.mjs' is no metric/);
    await expect(loadMetric(join(folder, 'missing.mjs'))).rejects.toThrow(/missing.mjs/);
    const half = module(
      'half',
      `export default { id: 'a', better: 'lower', create: () => ({ add() {}, value: () => ({}) }) };`,
    );
    const judge = await loadMetric(half);
    expect(() => judge.scores()).toThrow(/value\(\)/);
  });
});
