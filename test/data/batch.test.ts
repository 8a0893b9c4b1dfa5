import { describe, expect, it } from 'vitest';
import { batches } from '../../src/data/batch.ts';
import { indexedDataset, streamDataset } from '../../src/data/dataset.ts';
import { oneAtATime, filledUp, planRuns, rowsOf, type Runs } from '../../src/data/runs.ts';
import type { InputInfo, Sample } from '../../src/data/sample.ts';
import { drain, failure, input } from './helpers.ts';

const x = input('x', ['N', 'w']);

/** Of a free batch. */
const together = (samples: number): Runs => ({ samples, copies: 1, fixed: false, axes: new Map([['x', 0]]) });

function dataset(
  count: number,
  sample: (i: number) => Partial<Sample> = () => ({}),
  inputs: readonly InputInfo[] = [x],
  log: string[] = [],
) {
  return indexedDataset({
    source: 's',
    format: 'test',
    inputs,
    count,
    labelled: true,
    ahead: 2,
    id: (i) => `s#${i}`,
    open: () =>
      Promise.resolve({
        async read(i: number) {
          log.push(`read ${i}`);
          const data = Float32Array.of(i, -i);
          return { id: `s#${i}`, inputs: { x: { type: 'float32', dims: [1, 2], data } }, label: i, ...sample(i) };
        },
        async close() {
          log.push('close');
        },
      }),
  });
}

const ofWidth = (width: number): Partial<Sample> => ({
  inputs: { x: { type: 'float32', dims: [1, width], data: new Float32Array(width) } },
});

describe('batches', () => {
  it('concatenates along axis 0; the last batch may be short', async () => {
    const all = await drain(batches(dataset(5), [0, 1, 2, 4], together(3)));
    expect(all.map(({ samples: _samples, ...rest }) => rest)).toEqual([
      {
        ids: ['s#0', 's#1', 's#2'],
        labels: [0, 1, 2],
        size: 3,
        inputs: { x: { type: 'float32', dims: [3, 2], data: Float32Array.of(0, -0, 1, -1, 2, -2) } },
      },
      {
        ids: ['s#4'],
        labels: [4],
        size: 1,
        inputs: { x: { type: 'float32', dims: [1, 2], data: Float32Array.of(4, -4) } },
      },
    ]);
  });

  it('carries every kind of element', async () => {
    const i64 = input('x', ['N'], 'int64');
    const big = (i: number): Partial<Sample> => ({
      inputs: { x: { type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(i)) } },
    });
    const [batch] = await drain(batches(dataset(3, big, [i64]), { from: 0 }, together(3)));
    expect(batch!.inputs['x']!.data).toEqual(BigInt64Array.of(0n, 1n, 2n));
  });

  it('has labels when all samples have, none when none has, and refuses a mixture', async () => {
    const without = ({ id, inputs }: Sample): Sample => ({ id, inputs });
    const some = (labelled: (i: number) => boolean) => {
      const source = dataset(4);
      return streamDataset({
        source: 's',
        format: 'test',
        inputs: [x],
        labelled: false,
        async *stream() {
          let i = 0;
          for await (const sample of source.samples({ from: 0 })) {
            const made = labelled(i++) ? sample : without(sample);
            yield () => made;
          }
        },
      });
    };
    expect(
      (
        await drain(
          batches(
            some(() => false),
            { from: 0 },
            together(4),
          ),
        )
      )[0]!.labels,
    ).toBeUndefined();
    expect(
      (
        await failure(
          drain(
            batches(
              some((i) => i !== 2),
              { from: 0 },
              together(4),
            ),
          ),
        )
      ).message,
    ).toContain('s#2');
  });

  it('names the sample whose shape differs from its batch', async () => {
    const error = await failure(
      drain(
        batches(
          dataset(4, (i) => ofWidth(i === 3 ? 5 : 2)),
          { from: 0 },
          together(2),
        ),
      ),
    );
    expect([error.code, error.message]).toEqual([
      'DATA_BATCH_SHAPE',
      expect.stringMatching(/s#3.*\[1, 5\].*s#2.*\[1, 2\]/),
    ]);
    expect(
      await drain(
        batches(
          dataset(4, (i) => ofWidth(i + 1)),
          { from: 0 },
          together(1),
        ),
      ),
    ).toHaveLength(4);
  });

  it('joins along the batch axis of each input, shares what has none, and fills a fixed batch up', async () => {
    const inputs = [{ ...input('x', [2, 4, 3]), batchAxis: 1 }, input('y', [4]), input('rate', [])];
    const sample = (i: number): Partial<Sample> => ({
      inputs: {
        x: { type: 'float32', dims: [2, 1, 3], data: Float32Array.from({ length: 6 }, (_, at) => 10 * i + at) },
        y: { type: 'float32', dims: [1], data: Float32Array.of(i) },
        rate: { type: 'float32', dims: [], data: Float32Array.of(7) },
      },
    });
    const source = dataset(6, sample, inputs);
    const runs = planRuns(inputs, { id: 's#0', inputs: sample(0).inputs! }, 1, { constants: ['rate'] });
    const [, last] = await drain(batches(source, { from: 0 }, runs));
    expect([last!.size, last!.labels, rowsOf(runs, 2)]).toEqual([2, [4, 5], 4]);
    expect(last!.inputs).toEqual({
      x: {
        type: 'float32',
        dims: [2, 4, 3],
        data: Float32Array.of(
          ...[40, 41, 42, 50, 51, 52, 50, 51, 52, 50, 51, 52],
          ...[43, 44, 45, 53, 54, 55, 53, 54, 55, 53, 54, 55],
        ),
      },
      y: { type: 'float32', dims: [4], data: Float32Array.of(4, 5, 5, 5) },
      rate: { type: 'float32', dims: [], data: Float32Array.of(7) },
    });
  });

  it('reads ahead by one batch and a few samples, and closes when it is left early', async () => {
    const log: string[] = [];
    for await (const batch of batches(dataset(100, undefined, [x], log), { from: 0 }, together(4))) {
      expect(batch.ids[0]).toBe('s#0');
      await new Promise((resolve) => setTimeout(resolve, 5));
      break;
    }
    expect(log.at(-1)).toBe('close');
    expect(log.length).toBeLessThanOrEqual(4 + 4 + 2 + 1 + 1);
  });

  it('throws a failure in its turn, after the batches before it', async () => {
    const seen: number[] = [];
    const bad = dataset(6, (i) => (i === 4 ? { inputs: {} } : {}));
    const error = await failure(
      (async () => {
        for await (const batch of batches(bad, { from: 0 }, together(2))) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          seen.push(batch.size);
        }
      })(),
    );
    expect([error.code, seen]).toEqual(['DATA_INPUT_MISSING', [2, 2]]);
  });
});

describe('a sample', () => {
  const half = (bits: number): [Partial<Sample>, InputInfo] => [
    { inputs: { x: { type: 'float16', dims: [1], data: Uint16Array.of(bits) } } },
    input('x', [1], 'float16'),
  ];
  it.each<[string, Partial<Sample>, InputInfo, string | undefined]>([
    ['finite half', ...half(0x7bff), undefined],
    ['infinite half', ...half(0xfc00), 'DATA_NOT_FINITE'],
    [
      'NaN',
      { inputs: { x: { type: 'float64', dims: [1], data: Float64Array.of(NaN) } } },
      input('x', [1], 'float64'),
      'DATA_NOT_FINITE',
    ],
    ['wrong type', { inputs: { x: { type: 'int8', dims: [1, 2], data: new Int8Array(2) } } }, x, 'DATA_TYPE'],
    ['wrong rank', { inputs: { x: { type: 'float32', dims: [2], data: new Float32Array(2) } } }, x, 'DATA_SHAPE'],
    ['wrong dimension', ofWidth(3), input('x', ['N', 2]), 'DATA_SHAPE'],
    ['wrong length', { inputs: { x: { type: 'float32', dims: [1, 3], data: new Float32Array(2) } } }, x, 'DATA_LENGTH'],
    ['no such input', { inputs: { ...ofWidth(1).inputs!, extra: ofWidth(1).inputs!['x']! } }, x, 'DATA_INPUT_UNKNOWN'],
    ['fractional label', { label: 0.5 }, x, 'DATA_LABEL'],
    ['prototype name', {}, input('constructor', ['N']), 'DATA_INPUT_MISSING'],
  ])('is checked: %s', async (_, sample, info, code) => {
    const result = drain(
      batches(
        dataset(1, () => sample, [info]),
        { from: 0 },
        together(1),
      ),
    );
    if (code === undefined) expect(await result).toHaveLength(1);
    else expect((await failure(result)).code).toBe(code);
  });
});

describe('runs of a model', () => {
  const sampleOf = (dims: Readonly<Record<string, readonly number[]>>): Sample => ({
    id: 's',
    inputs: Object.fromEntries(
      Object.entries(dims).map(([name, each]) => [
        name,
        { type: 'float32' as const, dims: each, data: new Float32Array() },
      ]),
    ),
  });
  const state = { ...input('state', [2, 'N', 8]), batchAxis: 1 };
  it.each<[string, readonly InputInfo[], Record<string, number[]>, readonly string[], [number, number, boolean]]>([
    ['free', [x, input('y', [null, 3])], { x: [1, 2], y: [1, 3] }, [], [16, 1, false]],
    ['of one', [input('x', [1, 3])], { x: [1, 3] }, [], [1, 1, false]],
    ['fixed', [input('x', [8, 3]), input('y', [8])], { x: [1, 3], y: [1] }, [], [8, 1, true]],
    ['fixed, rows of which two make a sample', [input('x', [8, 3])], { x: [2, 3] }, [], [4, 1, true]],
    ['fixed, and filled by each sample', [input('x', [8, 3])], { x: [8, 3] }, [], [1, 1, false]],
    ['one input fixed, one free', [input('x', [8, 3]), input('y', [null])], { x: [1, 3], y: [1] }, [], [8, 1, true]],
    ['a scalar beside a free batch', [x, input('sr', [])], { x: [1, 2], sr: [] }, ['sr'], [1, 1, false]],
    [
      'the same scalar in all samples',
      [input('x', [8, 3]), input('sr', [])],
      { x: [1, 3], sr: [] },
      ['sr'],
      [8, 1, true],
    ],
    ['a scalar of each sample', [input('x', [8, 3]), input('sr', [])], { x: [1, 3], sr: [] }, [], [1, 8, true]],
    ['a state whose batch is its second axis', [x, state], { x: [1, 2], state: [2, 1, 8] }, [], [16, 1, false]],
  ])('%s', (_, inputs, dims, constants, [samples, copies, fixed]) => {
    expect(planRuns(inputs, sampleOf(dims), 16, { constants })).toMatchObject({ samples, copies, fixed });
  });

  it('are refused where rows do not fill the batch', async () => {
    const refusal = (inputs: readonly InputInfo[], dims: Record<string, number[]>): Promise<{ code: string }> =>
      failure((async () => planRuns(inputs, sampleOf(dims)))());
    expect((await refusal([input('x', [8, 3])], { x: [3, 3] })).code).toBe('DATA_ROWS');
    const other = await refusal([input('x', [8, 3]), input('y', [4])], { x: [1, 3], y: [1] });
    expect(other.code).toBe('DATA_ROWS');
  });

  it('of one sample hold it as often as the batch is large', () => {
    const runs = planRuns([input('x', [4, 3])], sampleOf({ x: [1, 3] }));
    expect(oneAtATime(runs)).toMatchObject({ samples: 1, copies: 4, fixed: true });
    const [a, b] = [sampleOf({ x: [1, 3] }), sampleOf({ x: [1, 3] })];
    expect(filledUp([a, b], runs)).toEqual([a, b, b, b]);
    expect(filledUp([a], oneAtATime(runs))).toEqual([a, a, a, a]);
  });
});
