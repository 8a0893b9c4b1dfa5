/** The curve in the report: every step of a short training, means of a long one, the same each time. */
import { describe, expect, it } from 'vitest';
import { trainingOf } from '../../../src/pipeline/finetune/report.ts';
import type { FinetuneResult } from '../../../src/pipeline/results.ts';
import { reportSchema } from '../../../src/compare/report.ts';
import { sampleReport } from '../../report/sample-report.ts';

function resultOf(steps: number, evaluations: number): FinetuneResult {
  return {
    outputPath: 'out.onnx',
    loss: 'kl',
    steps,
    keptStep: steps,
    endedEarly: false,
    parameters: 10,
    batchNorms: 0,
    evaluations: Array.from({ length: evaluations }, (_, i) => ({ step: i * 10, name: 'top1', value: i / 10_000 })),
    training: Array.from({ length: steps }, (_, i) => ({ step: i + 1, loss: i, lr: 1 / (i + 1) })),
    stepMilliseconds: 5,
    warnings: [],
  };
}

describe('the training of a report', () => {
  it('has every step of a short one', () => {
    const { curve, evaluations, metric } = trainingOf(resultOf(30, 4));
    expect(curve).toEqual(Array.from({ length: 30 }, (_, i) => ({ step: i + 1, loss: i, lr: 1 / (i + 1) })));
    expect(evaluations.map(({ step }) => step)).toEqual([0, 10, 20, 30]);
    expect(metric).toBe('top1');
  });

  it.each([401, 999, 100_000])('has 400 points of %i steps, whose means weigh as their steps do', (steps) => {
    const training = trainingOf(resultOf(steps, 5_000));
    const { curve, evaluations } = training;
    expect(curve).toHaveLength(400);
    expect(curve.at(-1)!.step).toBe(steps);
    // The mean of all steps is that of the points, each weighed by its steps: nothing is left out.
    const total = curve.reduce((sum, { step, loss }, i) => sum + loss * (step - (curve[i - 1]?.step ?? 0)), 0);
    expect(total / steps).toBeCloseTo((steps - 1) / 2, 6);
    expect(evaluations).toHaveLength(400);
    expect([evaluations[0]!.step, evaluations.at(-1)!.step]).toEqual([0, 49_990]);
    expect(trainingOf(resultOf(steps, 5_000))).toEqual(training);
    expect(reportSchema.parse(sampleReport({ training }))).toMatchObject({ training });
  });

  it('has no metric when nothing judged', () => {
    const { metric, evaluations } = trainingOf(resultOf(3, 0));
    expect([metric, evaluations]).toEqual([undefined, []]);
  });
});
