import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DataTypeName, TypedArray } from '../../src/onnx/data-types.ts';
import { convert, convertible } from '../../src/data/convert.ts';
import { openData } from '../../src/data/open.ts';
import type { InputInfo } from '../../src/data/sample.ts';
import { failure, input, npyFile, readAll, temporaryFolder, zipFile } from './helpers.ts';

/** numpy.savez_compressed(x=arange(6.).reshape(2, 3) / 4, labels=[7, 3]) */
const compressed =
  'UEsDBC0AAAAIAAAAIQA0MXjI//////////8FABQAeC5ucHkBABAAsAAAAAAAAABXAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l' +
  'oG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYUcMEeQj+A0i+g9Aco/cUeAFBLAwQtAAAA' +
  'CAAAACEAdpUndv//////////CgAUAGxhYmVscy5ucHkBABAAkAAAAAAAAABKAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6T' +
  'aaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC52BghghtIAUEsBAi0DLQAAAAgAAAAhADQxeMhXAAAA' +
  'sAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAgAAAAhAHaVJ3ZKAAAAkAAAAAoAAAAAAAAAAAAAAIABjgAAAGxh' +
  'YmVscy5ucHlQSwUGAAAAAAIAAgBrAAAAFAEAAAAA';
/** numpy.savez(x=arange(6, dtype=float32).reshape(2, 3) / 4, n=array([5, 6], int32)) */
const stored =
  'UEsDBC0AAAAAAAAAIQAKnACk//////////8FABQAeC5ucHkBABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzog' +
  'JzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAg' +
  'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAAgD4AAAA/AABAPwAAgD8AAKA/UEsDBC0AAAAAAAAAIQCmYIIm' +
  '//////////8FABQAbi5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpNCcsICdmb3J0cmFuX29y' +
  'ZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
  'ICAgICAgICAgICAgICAKBQAAAAYAAABQSwECLQMtAAAAAAAAACEACpwApJgAAACYAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQ' +
  'SwECLQMtAAAAAAAAACEApmCCJogAAACIAAAABQAAAAAAAAAAAAAAgAHPAAAAbi5ucHlQSwUGAAAAAAIAAgBmAAAAjgEAAAAA';
/** numpy.save(asfortranarray(arange(24, dtype=int16).reshape(2, 3, 4))) */
const fortran =
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAg' +
  'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAwABAAQAAgAFAABAA0ABQARAAkA' +
  'FQACAA4ABgASAAoAFgADAA8ABwATAAsAFwA=';
/** numpy.save(array([[0, 1], [-2, 65504]], float16)) */
const half =
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIpLCB9ICAgICAg' +
  'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAA8AMD/ew==';

const base64 = (text: string): Buffer => Buffer.from(text, 'base64');
const quarters = [Float32Array.of(0, 0.25, 0.5), Float32Array.of(0.75, 1, 1.25)];

function file(name: string, bytes: Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

async function values(path: string, inputs: readonly InputInfo[]) {
  return (await readAll(await openData({ path }, inputs))).map((sample) => sample.inputs[inputs[0]!.name]!);
}

describe('npy', () => {
  it.each([1, 2, 3])('reads rows of version %i as samples', async (version) => {
    const path = file('rows.npy', npyFile('<f4', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6), version));
    const dataset = await openData({ path }, [input('x', ['N', 3])]);
    expect(dataset).toMatchObject({ format: 'npy', count: 2, labelled: false, preprocess: undefined });
    const samples = await readAll(dataset, [1]);
    expect(samples).toEqual([
      { id: 'rows.npy#1', inputs: { x: { type: 'float32', dims: [1, 3], data: Float32Array.of(4, 5, 6) } } },
    ]);
  });

  it('reads whole inputs along one more axis', async () => {
    const path = file('x.npy', npyFile('<f4', [2, 2, 1], Float32Array.of(1, 2, 3, 4)));
    const [, second] = await values(path, [input('state', [2, 'batch'])]);
    expect(second).toEqual({ type: 'float32', dims: [2, 1], data: Float32Array.of(3, 4) });
    const scalars = file('sr.npy', npyFile('<i8', [2], BigInt64Array.of(8n, 16n)));
    expect((await values(scalars, [input('sr', [], 'int64')]))[1]).toEqual({
      type: 'int64',
      dims: [],
      data: BigInt64Array.of(16n),
    });
  });

  it('reorders Fortran arrays of numpy', async () => {
    const rows = await values(file('f.npy', base64(fortran)), [input('x', ['N', 3, 4])]);
    expect(rows.map(({ data }) => Array.from(data as Float32Array))).toEqual([
      Array.from({ length: 12 }, (_, i) => i),
      Array.from({ length: 12 }, (_, i) => i + 12),
    ]);
  });

  it('widens half floats of numpy, and says what it converts', async () => {
    const path = file('h.npy', base64(half));
    const rows = await values(path, [input('x', ['N', 2])]);
    expect(rows.map(({ data }) => data)).toEqual([Float32Array.of(0, 1), Float32Array.of(-2, 65504)]);
    expect((await openData({ path }, [input('x', ['N', 2])])).preprocess).toBe('x: float16 as float32');
    expect((await values(path, [input('x', ['N', 2], 'float16')]))[1]!.data).toEqual(Uint16Array.of(0xc000, 0x7bff));
  });

  it.each<[string, Uint8Array, InputInfo, string]>([
    ['shape', npyFile('<f4', [2, 3], new Float32Array(6)), input('x', ['N', 4]), 'DATA_SHAPE'],
    ['rank', npyFile('<f4', [6], new Float32Array(6)), input('x', ['N', 3, 2]), 'DATA_SHAPE'],
    ['no axis', npyFile('<f4', [], new Float32Array(1)), input('x', []), 'DATA_SHAPE'],
    ['float to int', npyFile('<f4', [2], new Float32Array(2)), input('x', ['N'], 'int32'), 'DATA_TYPE'],
    ['int range', npyFile('<i8', [1], BigInt64Array.of(2n ** 31n)), input('x', ['N'], 'int32'), 'DATA_RANGE'],
    ['NaN', npyFile('<f4', [1], Float32Array.of(NaN)), input('x', ['N']), 'DATA_NOT_FINITE'],
    ['overflow to infinity', npyFile('<f8', [1], Float64Array.of(1e39)), input('x', ['N']), 'DATA_NOT_FINITE'],
    ['no samples', npyFile('<f4', [0, 3], new Float32Array(0)), input('x', ['N', 3]), 'DATA_EMPTY'],
    ['big endian', npyFile('>f4', [1], new Float32Array(1)), input('x', ['N']), 'DATA_NPY_TYPE'],
    ['cut short', npyFile('<f4', [3], new Float32Array(2)), input('x', ['N']), 'DATA_TRUNCATED'],
    ['inherited name', npyFile('__proto__', [1], new Float32Array(1)), input('x', ['N']), 'DATA_NPY_TYPE'],
    ['not npy', Buffer.from('this is not a numpy file'), input('x', ['N']), 'DATA_NPY'],
    ['empty file', Buffer.alloc(0), input('x', ['N']), 'DATA_NPY'],
    ['version', npyFile('<f4', [1], new Float32Array(1), 9), input('x', ['N']), 'DATA_NPY'],
  ])('refuses: %s', async (_, bytes, info, code) => {
    expect((await failure(values(file('x.npy', bytes), [info]))).code).toBe(code);
  });

  it('feeds one input only', async () => {
    const path = file('x.npy', npyFile('<f4', [1], new Float32Array(1)));
    expect((await failure(openData({ path }, [input('a', []), input('b', [])]))).code).toBe('DATA_INPUT_MISSING');
  });
});

describe('npz', () => {
  it('reads a compressed archive of numpy, with labels', async () => {
    const dataset = await openData({ path: file('c.npz', base64(compressed)) }, [input('image', ['N', 3])]);
    expect(dataset).toMatchObject({ format: 'npz', count: 2, labelled: true, preprocess: 'image: float64 as float32' });
    const samples = await readAll(dataset);
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['c.npz#0', 7],
      ['c.npz#1', 3],
    ]);
    expect(samples.map(({ inputs }) => inputs['image']!.data)).toEqual(quarters);
    expect(await readAll(dataset)).toEqual(samples);
  });

  it('reads a stored archive of numpy in place, arrays named after the inputs', async () => {
    const dataset = await openData({ path: file('s.npz', base64(stored)) }, [
      input('n', ['N'], 'int64'),
      input('x', ['N', 3]),
    ]);
    const samples = await readAll(dataset);
    expect(samples.map(({ inputs }) => inputs['x']!.data)).toEqual(quarters);
    expect(samples.map(({ inputs }) => inputs['n'])).toEqual(
      [5n, 6n].map((n) => ({ type: 'int64', dims: [1], data: BigInt64Array.of(n) })),
    );
  });

  const rows = (count: number) => npyFile('<f4', [count, 1], new Float32Array(count));
  const x = input('x', ['N', 1]);
  const y = input('y', ['N', 1]);
  it.each<[string, Record<string, Uint8Array>, readonly InputInfo[], string, string]>([
    ['a missing array', { 'x.npy': rows(2), 'z.npy': rows(2) }, [x, y], 'DATA_INPUT_MISSING', 'y'],
    ['an unknown array', { 'x.npy': rows(2), 'lables.npy': rows(2) }, [x], 'DATA_INPUT_UNKNOWN', 'lables'],
    ['uneven counts', { 'x.npy': rows(2), 'y.npy': rows(3) }, [x, y], 'DATA_COUNT', '3'],
    [
      'too few labels',
      { 'x.npy': rows(2), 'y.npy': npyFile('<i4', [1], Int32Array.of(1)) },
      [x],
      'DATA_COUNT',
      'labels',
    ],
    ['float labels', { 'x.npy': rows(2), 'y.npy': rows(2) }, [x], 'DATA_LABELS', 'float32'],
    ['nothing', {}, [x], 'DATA_INPUT_MISSING', 'none'],
  ])('refuses %s', async (_, files, inputs, code, text) => {
    const error = await failure(openData({ path: file('x.npz', zipFile(files)) }, inputs));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
  });
});

describe('convert', () => {
  it.each<[TypedArray, DataTypeName, DataTypeName, TypedArray]>([
    [BigInt64Array.of(-1n, 5n), 'int64', 'int32', Int32Array.of(-1, 5)],
    [BigInt64Array.of(3n), 'int64', 'float32', Float32Array.of(3)],
    [Int32Array.of(-7), 'int32', 'int64', BigInt64Array.of(-7n)],
    [Uint8Array.of(0, 1), 'bool', 'int64', BigInt64Array.of(0n, 1n)],
    [Uint8Array.of(255), 'uint8', 'float16', Uint16Array.of(0x5bf8)],
    [Float64Array.of(0.1), 'float64', 'float32', Float32Array.of(0.1)],
    [Uint16Array.of(0x3800), 'float16', 'float64', Float64Array.of(0.5)],
  ])('%o from %s to %s', (data, from, to, expected) => {
    expect(convertible(from, to)).toBe(true);
    expect(convert(data, from, to)).toEqual(expected);
  });

  it('never makes integers of floats, and checks ranges', () => {
    expect(convertible('float32', 'int64')).toBe(false);
    expect(convertible('string', 'float32')).toBe(false);
    expect(() => convert(Int16Array.of(-1), 'int16', 'uint8')).toThrow(RangeError);
    expect(() => convert(Int8Array.of(2), 'int8', 'bool')).toThrow(RangeError);
    expect(() => convert(Int8Array.of(-1), 'int8', 'uint64')).toThrow(RangeError);
  });
});
