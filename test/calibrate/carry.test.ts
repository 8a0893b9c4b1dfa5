/** Stateful models: outputs are fed back as inputs, sample by sample, and each sequence starts anew. */
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Dataset } from '../../src/data/sample.ts';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { buildModel, node } from '../support/build.ts';
import { datasetOf, floats, sha } from './samples.ts';

/** y = |h + x|; the next h is h + x: a running sum. */
const sum = buildModel({
  inputs: { x: ['n', 1], h: ['n', 1] },
  nodes: [node('Add', ['h', 'x'], ['hn']), node('Abs', ['hn'], ['y'])],
  outputs: ['y', 'hn'],
});

function sums(carry: Dataset['carry'], sequences: readonly (readonly number[])[]): Dataset {
  const samples = sequences.flatMap((values, s) =>
    values.map((value, i) => ({
      id: `${s}#${i}`,
      inputs: { x: floats([1, 1], () => value), h: floats([1, 1], () => 0) },
      sequence: String(s),
    })),
  );
  return { ...datasetOf(samples), carry };
}

const data = [
  [1, 2, 3],
  [-4, -1],
  [5, -0.5],
];

describe('carry', () => {
  it('observes what the state becomes, from zero in every sequence', async () => {
    const carry = [{ output: 'hn', input: 'h' }];
    const state = await calibrate(sum, ['y', 'hn', 'h'], sums(carry, data), { from: 0 }, { modelSha256: sha });
    // Running sums: 1 3 6 | -4 -5 | 5 4.5.
    expect([...rangesOf(state)]).toEqual([
      ['y', { min: 0, max: 6 }],
      ['hn', { min: -5, max: 6 }],
      ['h', { min: -4, max: 5 }],
    ]);
    const without = await calibrate(sum, ['hn'], sums(undefined, data), { from: 0 }, { modelSha256: sha });
    expect([...rangesOf(without)]).toEqual([['hn', { min: -4, max: 5 }]]);
  });

  it('runs samples one by one, and only from outputs that exist', async () => {
    const run = (output: string, batchSize: number) =>
      calibrate(sum, ['y'], sums([{ output, input: 'h' }], data), { from: 0 }, { modelSha256: sha, batchSize }).catch(
        (error: unknown) => error,
      );
    for (const [output, batchSize] of [
      ['hn', 2],
      ['hm', 1],
    ] as const) {
      const error = await run(output, batchSize);
      expect(error).toBeInstanceOf(QdqError);
      expect((error as QdqError).code).toBe('DATA_CARRY');
    }
  });
});
