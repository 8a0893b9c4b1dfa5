import { describe, expect, it } from 'vitest';
import type { Dataset, Sample, Selection } from '../../../src/data/sample.ts';
import { settle } from '../../../src/pipeline/samples/samples.ts';

/** A stream of `length` samples whose length nobody knows. */
function stream(length: number): Dataset {
  return {
    ...{
      source: 'stream',
      format: 'reader',
      count: undefined,
      labelled: false,
      preprocess: undefined,
      synthetic: false,
    },
    async *samples(selection: Selection): AsyncGenerator<Sample> {
      const { from, to = Infinity } = selection as { from: number; to?: number };
      for (let i = from; i < Math.min(to, length); i++) yield { id: `${i}`, inputs: {} };
    },
    idsHash: () => undefined,
  };
}

describe('settle', () => {
  const planOf = (length: number) => {
    const dataset = stream(length);
    return {
      calibration: { dataset, selection: { from: 0, to: 10 } },
      evaluation: { dataset, selection: { from: 10, to: 20 } },
      warnings: [],
    };
  };

  it('keeps what a stream leaves over', async () => {
    const plan = planOf(11);
    expect(await settle(plan)).toBe(plan);
  });

  it('lets the calibration samples judge when nothing is left, and says so', async () => {
    const plan = planOf(10);
    const settled = await settle(plan);
    expect(settled.evaluation).toBe(plan.calibration);
    expect(settled.warnings).toEqual([expect.stringContaining('judges the same samples')]);
  });
});
