import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

const { TensorProto } = onnxProto.onnx;

const floats = (name: string, dims: number[], values: number[]): Uint8Array =>
  TensorProto.encode({ name, dims, dataType: 1, floatData: values }).finish();
const raw = (name: string, dims: number[], data: BigInt64Array): Uint8Array =>
  TensorProto.encode({ name, dims, dataType: 7, rawData: new Uint8Array(data.buffer) }).finish();

function sets(folders: Readonly<Record<string, readonly Uint8Array[]>>): string {
  const root = temporaryFolder();
  for (const [folder, files] of Object.entries(folders)) {
    mkdirSync(join(root, folder), { recursive: true });
    files.forEach((bytes, i) => writeFileSync(join(root, folder, `input_${i}.pb`), bytes));
    writeFileSync(join(root, folder, 'output_0.pb'), 'not read');
  }
  return root;
}

const inputs = [input('a', ['N', 2]), input('b', [], 'int64')];
const pair = (value: number) => [floats('', [1, 2], [value, 0.5]), raw('', [], BigInt64Array.of(BigInt(value)))];

describe('tensor-proto', () => {
  it('reads sets in the order of their numbers, files in the order of the inputs', async () => {
    const path = sets({ test_data_set_0: pair(0), test_data_set_10: pair(10), test_data_set_2: pair(2) });
    const dataset = await openData({ path }, inputs);
    expect(dataset).toMatchObject({ format: 'tensor-proto', count: 3, labelled: false });
    const samples = await readAll(dataset);
    expect(samples.map(({ id }) => id)).toEqual(['test_data_set_0', 'test_data_set_2', 'test_data_set_10']);
    expect(samples[2]!.inputs).toEqual({
      a: { type: 'float32', dims: [1, 2], data: Float32Array.of(10, 0.5) },
      b: { type: 'int64', dims: [], data: BigInt64Array.of(10n) },
    });
  });

  it('reads one set directly, by name where the tensors bear the names of the inputs', async () => {
    const path = sets({ '.': [raw('b', [], BigInt64Array.of(7n)), floats('a', [3, 2], [1, 2, 3, 4, 5, 6])] });
    const [sample] = await readAll(await openData({ path }, inputs));
    expect(sample!.inputs['a']!.dims).toEqual([3, 2]);
    expect(sample!.inputs['b']!.data).toEqual(BigInt64Array.of(7n));
  });

  it.each<[string, readonly Uint8Array[], string]>([
    ['too few files', [floats('', [1, 2], [1, 2])], 'DATA_TENSOR_PROTO'],
    ['the wrong order', [...pair(1)].reverse(), 'DATA_TYPE'],
    ['the wrong shape', [floats('', [2, 1], [1, 2]), pair(1)[1]!], 'DATA_SHAPE'],
    ['fewer elements than the shape has', [floats('', [1, 2], [1]), pair(1)[1]!], 'DATA_TENSOR_PROTO'],
    ['something else', [Buffer.from('hello world'), pair(1)[1]!], 'DATA_TENSOR_PROTO'],
  ])('refuses %s', async (_, files, code) => {
    const dataset = await openData({ path: sets({ test_data_set_0: files }) }, inputs);
    expect((await failure(readAll(dataset))).code).toBe(code);
  });
});
