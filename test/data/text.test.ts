import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import type { InputInfo } from '../../src/data/sample.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

function file(name: string, content: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

const ids = input('input_ids', ['batch', 'sequence'], 'int64');

describe('jsonl', () => {
  it('reads objects keyed by input name, with labels', async () => {
    const path = file(
      'a.jsonl',
      '{"input_ids": [5, 6, 7], "x": [[1, 2], [3, 4.5]], "label": 3}\r\n\n{"x":[[[0,0],[0,0]]],"input_ids":[[8]],"label":0}',
    );
    const dataset = await openData({ path }, [ids, input('x', ['N', 2, 2])]);
    expect(dataset).toMatchObject({ format: 'text', count: 2, labelled: true });
    const [first, second] = await readAll(dataset);
    expect(first).toEqual({
      id: 'a.jsonl#0',
      inputs: {
        input_ids: { type: 'int64', dims: [1, 3], data: BigInt64Array.of(5n, 6n, 7n) },
        x: { type: 'float32', dims: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4.5) },
      },
      label: 3,
    });
    expect([second!.inputs['input_ids']!.dims, second!.inputs['x']!.dims, second!.label]).toEqual([
      [1, 1],
      [1, 2, 2],
      0,
    ]);
    expect((await readAll(dataset, [1]))[0]).toEqual(second);
  });

  it('fills integers up to the length that the model fixes', async () => {
    const path = file('a.jsonl', '{"t": [[1, 2], [3, 4]]}');
    const [sample] = await readAll(await openData({ path }, [input('t', ['N', 3, 4], 'int32')]));
    expect(sample!.inputs['t']).toEqual({
      type: 'int32',
      dims: [1, 3, 4],
      data: Int32Array.of(1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0),
    });
    const floats = await openData({ path }, [input('t', ['N', 3, 4])]);
    expect((await failure(readAll(floats))).code).toBe('DATA_SHAPE');
  });

  it('keeps lines apart across chunks', async () => {
    const long = Array.from({ length: 150_000 }, (_, i) => i);
    const path = file(
      'a.jsonl',
      [long, [1], long, [2]].map((value) => JSON.stringify({ input_ids: value })).join('\n'),
    );
    const samples = await readAll(await openData({ path }, [ids]));
    expect(samples.map(({ inputs }) => inputs['input_ids']!.dims[1])).toEqual([150_000, 1, 150_000, 1]);
    expect(samples[2]!.inputs['input_ids']!.data[149_999]).toBe(149_999n);
  });

  it.each<[string, string, InputInfo]>([
    ['DATA_TEXT', '{"input_ids": [1', ids],
    ['DATA_TEXT', '[1, 2]', ids],
    ['DATA_TEXT', '{"input_ids": [[1], [2, 3]]}', ids],
    ['DATA_TEXT', '{"input_ids": [1, "2"]}', ids],
    ['DATA_TEXT', '{"input_ids": [[1], 2]}', ids],
    ['DATA_RANGE', '{"input_ids": [1.5]}', ids],
    ['DATA_RANGE', '{"n": [300]}', input('n', ['N', 1], 'uint8')],
    ['DATA_INPUT_UNKNOWN', '{"input_ids": [1], "mask": [1]}', ids],
    ['DATA_INPUT_MISSING', '{}', ids],
    ['DATA_LABEL', '{"input_ids": [1], "label": "cat"}', ids],
  ])('refuses with %s the line %s', async (code, line, info) => {
    const dataset = await openData({ path: file('a.jsonl', line) }, [info]);
    const error = await failure(readAll(dataset));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining('a.jsonl#0')]);
  });
});

describe('numbers', () => {
  it('reads one sample per line', async () => {
    const path = file('a.csv', '1, 2,3e0\n-4 5\t6\n');
    const samples = await readAll(await openData({ path }, [input('x', ['N', 3])]));
    expect(samples.map(({ inputs }) => inputs['x'])).toEqual([
      { type: 'float32', dims: [1, 3], data: Float32Array.of(1, 2, 3) },
      { type: 'float32', dims: [1, 3], data: Float32Array.of(-4, 5, 6) },
    ]);
    const [matrix] = await readAll(await openData({ path: file('b.txt', '1 2 3 4 5 6') }, [input('x', [1, null, 2])]));
    expect(matrix!.inputs['x']!.dims).toEqual([1, 3, 2]);
  });

  it('refuses words, odd counts and models of several inputs', async () => {
    const read = async (content: string, inputs = [input('x', ['N', 3])]) =>
      (await failure(openData({ path: file('a.csv', content) }, inputs).then((dataset) => readAll(dataset)))).code;
    expect(await read('a,b,c')).toBe('DATA_TEXT');
    expect(await read('1,2')).toBe('READER_DIMS');
    expect(await read('1', [ids, input('x', [1])])).toBe('DATA_INPUT_MISSING');
    expect(await read(' \n\n')).toBe('DATA_EMPTY');
  });
});
