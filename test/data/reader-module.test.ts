import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import type { InputInfo } from '../../src/data/sample.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

const x = input('x', ['N', 2]);

function reader(source: string, name = 'reader.mjs'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, source);
  return path;
}

const open = (source: string, inputs: readonly InputInfo[] = [x]) => openData({ reader: reader(source) }, inputs);
const rows = (...values: number[][]) =>
  values.map((row) => ({ type: 'float32', dims: [1, 2], data: Float32Array.from(row) }));

describe('reader module', () => {
  it.each([
    [
      'generator',
      'export default function* () { yield { x: Float32Array.of(1, 2), label: 3 }; yield { x: Float32Array.of(3, 4), label: 4n }; }',
    ],
    [
      'async generator called reader',
      'export async function* reader() { yield { x: Float32Array.of(1, 2), label: 3 }; yield { x: Float32Array.of(3, 4), label: 4 }; }',
    ],
    [
      'promise of an array',
      'export default async () => [{ x: Float32Array.of(1, 2), label: 3 }, { x: Float32Array.of(3, 4), label: 4 }];',
    ],
    [
      'iterable',
      'export default new Set([{ x: Float32Array.of(1, 2), label: 3 }, { x: Float32Array.of(3, 4), label: 4 }]);',
    ],
    [
      'indexed',
      'export default { length: 2, get: async (i) => ({ x: Float32Array.of(2 * i + 1, 2 * i + 2), label: 3 + i }) };',
    ],
    [
      'one array reused',
      'const a = new Float32Array(2); export default function* () { a.set([1, 2]); yield { x: a, label: 3 }; a.set([3, 4]); yield { x: a, label: 4 }; }',
    ],
  ])('may be: %s', async (_, source) => {
    const dataset = await open(source);
    expect(dataset).toMatchObject({ format: 'reader', labelled: true, synthetic: false });
    for (let pass = 0; pass < 2; pass++) {
      const samples = await readAll(dataset, { from: 0, to: 9 });
      expect(samples.map(({ inputs }) => inputs['x'])).toEqual(rows([1, 2], [3, 4]));
      expect(samples.map(({ id, label }) => [id, label])).toEqual([
        ['reader.mjs#0', 3],
        ['reader.mjs#1', 4],
      ]);
    }
    expect((await readAll(dataset, [1])).map(({ id }) => id)).toEqual(['reader.mjs#1']);
  });

  it('is read no further than asked, and closed', async () => {
    const log = '__qdqReaderLog';
    const source = `const log = (globalThis.${log} ??= []); export default function* () { try { for (let i = 0; ; i++) { log.push(i); yield Float32Array.of(i, i); } } finally { log.push('end'); } }`;
    const dataset = await open(source);
    const steps = (globalThis as Record<string, unknown>)[log] as unknown[];
    expect(dataset.count).toBeUndefined();
    expect(dataset.idsHash({ from: 0, to: 2 })).toBeUndefined();
    steps.length = 0;
    expect(await readAll(dataset, { from: 1, to: 3 })).toHaveLength(2);
    expect(steps).toEqual([0, 1, 2, 'end']);
  });

  it('takes bare arrays, {data, dims, type} and plain types that convert', async () => {
    const one = async (item: string, info: InputInfo) =>
      (await readAll(await open(`export default [${item}]`, [info])))[0]!.inputs[info.name];
    const data = input('data', ['N', 'T', 2]);
    expect(await one('new Float64Array(6)', data)).toEqual({
      type: 'float32',
      dims: [1, 3, 2],
      data: new Float32Array(6),
    });
    expect(await one('{ data: { data: new Float32Array(4), dims: [2, 1, 2] } }', data)).toMatchObject({
      dims: [2, 1, 2],
    });
    expect(await one('{ data: new Float32Array(4), dims: [1, 2, 2] }', data)).toMatchObject({ dims: [1, 2, 2] });
    expect(await one('{ data: new Float32Array(4) }', data)).toMatchObject({ dims: [1, 2, 2] });
    expect(await one('Uint16Array.of(0x3c00)', input('h', [1], 'float16'))).toMatchObject({
      type: 'float16',
      data: Uint16Array.of(0x3c00),
    });
    expect(
      await one('{ h: { data: Uint16Array.of(0x3c00), dims: [1], type: "float16" } }', input('h', [1])),
    ).toMatchObject({ data: Float32Array.of(1) });
    expect(await one('Uint8Array.of(1)', input('b', [1], 'bool'))).toMatchObject({ type: 'bool' });
    const bytes = await one('Buffer.from([7])', input('u', [1], 'uint8'));
    expect(bytes!.data.constructor).toBe(Uint8Array);
    expect(await one('Int32Array.of(5)', input('sr', [], 'int64'))).toEqual({
      type: 'int64',
      dims: [],
      data: BigInt64Array.of(5n),
    });
  });

  it('calls the function with the inputs of the model', async () => {
    const dataset = await open('export default ({ inputs }) => [new Float32Array(inputs[0].dims[1])]');
    expect(await readAll(dataset)).toHaveLength(1);
  });

  it.each([
    ['export const other = 1', 'READER_EXPORT', 'reader'],
    ['export default 7', 'READER_EXPORT', 'number'],
    ['export default () => null', 'READER_EXPORT', 'null'],
    ['export default (function* () { yield 1; })()', 'READER_EXPORT', 'once'],
    ['export default [', 'READER_IMPORT', 'reader.mjs'],
    ['throw new Error("no luck")', 'READER_IMPORT', 'no luck'],
    ['export default []', 'DATA_EMPTY', 'reader.mjs'],
    ['export default function* () {}', 'DATA_EMPTY', 'reader.mjs'],
    ['export default () => { throw new Error("boom") }', 'READER_FAILED', 'boom'],
    [
      'export default function* () { yield Float32Array.of(1, 2); throw new TypeError("boom") }',
      'READER_FAILED',
      'sample 1: boom',
    ],
    ['export default { length: 1, get: () => { throw "text" } }', 'READER_FAILED', 'text'],
    ['export default [null]', 'READER_SAMPLE', 'null'],
    ['export default [{ x: [1, 2] }]', 'READER_SAMPLE', "'x'"],
    ['export default [{ x: null }]', 'READER_SAMPLE', "'x'"],
    ['export default [{ x: { data: Float32Array.of(1, 2), dims: 2 } }]', 'READER_SAMPLE', 'dims'],
    ['export default [{ X: Float32Array.of(1, 2) }]', 'DATA_INPUT_UNKNOWN', "'X'"],
    ['export default [{}]', 'DATA_INPUT_MISSING', "'x'"],
    ['export default [{ x: Float32Array.of(1, 2, 3) }]', 'DATA_LENGTH', '3'],
    ['export default [{ x: { data: Float32Array.of(1, 2, 3), dims: [1, 3] } }]', 'DATA_SHAPE', '[N, 2]'],
    ['export default [{ x: Float32Array.of(1, Infinity) }]', 'DATA_NOT_FINITE', 'element 1'],
    ['export default [{ x: Float32Array.of(1, 2), label: "cat" }]', 'DATA_LABEL', 'cat'],
    ['export default [{ x: { data: Float32Array.of(1, 2), dims: [1, 2], type: "int8" } }]', 'READER_SAMPLE', 'int8'],
  ])('reports %s', async (source, code, text) => {
    const error = await failure(open(source).then((dataset) => readAll(dataset)));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
    expect(error.hint).toBeTruthy();
  });

  it('refuses floats for integers and open dimensions it cannot know', async () => {
    const codeOf = async (item: string, info: InputInfo) =>
      (await failure(open(`export default [${item}]`, [info]).then((dataset) => readAll(dataset)))).code;
    expect(await codeOf('new Float32Array(2)', input('i', [2], 'int64'))).toBe('DATA_TYPE');
    expect(await codeOf('BigInt64Array.of(300n)', input('i', [1], 'uint8'))).toBe('DATA_RANGE');
    expect(await codeOf('new Float32Array(4)', input('i', ['N', 'a', 'b']))).toBe('READER_DIMS');
    expect(await codeOf('new Float32Array(3)', input('i', ['N', 'a', 2]))).toBe('READER_DIMS');
  });
});
