import { describe, expect, it } from 'vitest';
import { batches, largestBatch } from '../../src/data/batch.ts';
import { indexedDataset, streamDataset } from '../../src/data/dataset.ts';
import type { InputInfo, Sample } from '../../src/data/sample.ts';
import { drain, failure, input } from './helpers.ts';

const x = input('x', ['N', 'w']);

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
    const all = await drain(batches(dataset(5), [0, 1, 2, 4], 3));
    expect(all).toEqual([
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
    const [batch] = await drain(batches(dataset(3, big, [i64]), { from: 0 }, 3));
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
            4,
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
              4,
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
          2,
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
          1,
        ),
      ),
    ).toHaveLength(4);
  });

  it('holds batches against the fixed dimensions of the model', async () => {
    const fixed = [input('x', [2, 2])];
    expect(await drain(batches(dataset(4, undefined, fixed), { from: 0 }, 2, fixed))).toHaveLength(2);
    const error = await failure(drain(batches(dataset(3, undefined, fixed), { from: 0 }, 2, fixed)));
    expect([error.code, error.kind]).toEqual(['DATA_BATCH', 'usage']);
    const scalar = input('x', []);
    const scalars = dataset(2, () => ({ inputs: { x: { type: 'float32', dims: [], data: new Float32Array(1) } } }), [
      scalar,
    ]);
    expect((await failure(drain(batches(scalars, { from: 0 }, 2)))).code).toBe('DATA_BATCH');
    expect(await drain(batches(scalars, { from: 0 }, 1, [scalar]))).toHaveLength(2);
  });

  it('reads ahead by one batch and a few samples, and closes when it is left early', async () => {
    const log: string[] = [];
    for await (const batch of batches(dataset(100, undefined, [x], log), { from: 0 }, 4)) {
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
        for await (const batch of batches(bad, { from: 0 }, 2)) {
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
        1,
      ),
    );
    if (code === undefined) expect(await result).toHaveLength(1);
    else expect((await failure(result)).code).toBe(code);
  });
});

describe('largestBatch', () => {
  it('is what every input allows', () => {
    expect(largestBatch([x, input('y', [null, 3])])).toBe(Infinity);
    expect(largestBatch([input('x', [1, 3])])).toBe(1);
    expect(largestBatch([input('x', [8, 3]), input('y', [8])])).toBe(8);
    expect(largestBatch([x, input('state', [2, 'N', 128]), input('sr', [])])).toBe(1);
  });
});
