/** Inputs of type string: from arrays, TensorProto folders and reader modules into onnxruntime. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { openData } from '../../src/data/open.ts';
import { sampleOf } from '../../src/data/formats/reader-module.ts';
import type { InputInfo, Sample } from '../../src/data/sample.ts';
import { textNumbers, textsOf } from '../../src/onnx/strings.ts';
import { buildModel, node } from '../support/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const input: InputInfo = { name: 'word', type: 'string', dims: ['n', 2] };
const words = ['cat', 'dög', '', 'a bird 🐦'];

function npy(descr: string, shape: string, body: Buffer): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY', 'latin1');
  head[6] = 1;
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), body]);
}

async function samples(path: string): Promise<Sample[]> {
  const dataset = await openData({ path, seed: 1, skipBad: false }, [input]);
  const read: Sample[] = [];
  for await (const sample of dataset.samples({ from: 0 })) read.push(sample);
  return read;
}

const wordsOf = (read: readonly Sample[]): string[] =>
  read.flatMap(({ inputs }) => textsOf(inputs['word']!.data as Uint32Array));

it('a table gives equal texts equal numbers', () => {
  const [a, b, c] = textNumbers(['x', 'y', 'x']);
  expect(a).toBe(c);
  expect(a).not.toBe(b);
  expect(textsOf([a!, b!])).toEqual(['x', 'y']);
});

it('arrays of numpy: UTF-32 and bytes', async () => {
  const wide = Buffer.alloc(4 * 8 * 4);
  words.forEach((word, row) =>
    [...word].forEach((letter, i) => wide.writeUInt32LE(letter.codePointAt(0)!, (row * 8 + i) * 4)),
  );
  writeFileSync(join(folder, 'wide.npy'), npy('<U8', '(2, 2)', wide));
  const read = await samples(join(folder, 'wide.npy'));
  expect(read.map(({ inputs }) => inputs['word']!.dims)).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(wordsOf(read)).toEqual(words);
  const bytes = Buffer.from('cat\0dog\0ox\0\0\0\0\0\0', 'latin1');
  writeFileSync(join(folder, 'bytes.npy'), npy('|S4', '(2, 2)', bytes));
  expect(wordsOf(await samples(join(folder, 'bytes.npy')))).toEqual(['cat', 'dog', 'ox', '']);
});

it('TensorProto folders', async () => {
  const set = join(folder, 'protos', 'test_data_set_0');
  mkdirSync(set, { recursive: true });
  const text = words.slice(0, 2).map((word) => Buffer.from(word));
  // dims [1, 2], data_type 8, string_data, name 'word'
  const parts = [Buffer.of(0x0a, 2, 1, 2, 0x10, 8)];
  for (const each of text) parts.push(Buffer.of(0x32, each.length), each);
  parts.push(Buffer.of(0x42, 4), Buffer.from('word'));
  writeFileSync(join(set, 'input_0.pb'), Buffer.concat(parts));
  expect(wordsOf(await samples(join(folder, 'protos')))).toEqual(['cat', 'dög']);
});

it('reader modules: a list of texts, or one with its dimensions', () => {
  expect(wordsOf([sampleOf({ word: ['a', 'b'] }, 'r#0', [input])])).toEqual(['a', 'b']);
  const shaped = sampleOf({ word: { data: ['a', 'b', 'c', 'd'], dims: [2, 2] } }, 'r#1', [input]);
  expect(shaped.inputs['word']!.dims).toEqual([2, 2]);
  expect(() => sampleOf({ word: [1, 2] }, 'r#2', [input])).toThrow(/not a typed array or a list of texts/);
});

it('onnxruntime gets the texts and gives texts', async () => {
  const model = buildModel({
    opset: 17,
    inputs: { word: { type: 'string', dims: ['n', 2] } },
    nodes: [node('Identity', ['word'], ['same'])],
    outputs: { same: { type: 'string', dims: ['n', 2] } },
  });
  const session = await openSession(model);
  const { same } = await session.run({ word: { type: 'string', dims: [2, 2], data: textNumbers(words) } });
  await session.dispose();
  expect(same!.dims).toEqual([2, 2]);
  expect(textsOf(same!.data as Uint32Array)).toEqual(words);
});
