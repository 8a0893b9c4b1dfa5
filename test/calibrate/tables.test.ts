/** Tables of other tools, held against files that those tools have written. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tableFormatOf, tableFormats, ort, tensorrt } from '../../src/calibrate/tables.ts';

const golden = readFileSync(resolve(import.meta.dirname, 'golden/ort-table.json'), 'utf8');
/** From the description of TensorRT's sampleINT8. */
const mnist = 'TRT-7000-EntropyCalibration2\ndata: 3c008912\nconv1: 3c88edfc\nprob: 3c010a14\n';

// Without -0, which JSON does not keep.
const float = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const ranges = fc
  .dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
    fc.tuple(float, float),
  )
  .map(
    (pairs) =>
      new Map(Object.entries(pairs).map(([name, [a, b]]) => [name, { min: Math.min(a, b), max: Math.max(a, b) }])),
  );

describe('onnxruntime', () => {
  it('reads what onnxruntime writes', () => {
    const table = ort.decode(golden, 'golden');
    expect(table).toMatchObject({ method: 'MinMax', symmetric: false });
    expect([...table.ranges]).toEqual([
      ['image', { min: -1.5, max: Math.fround(0.1) }],
      ['array', { min: -2, max: 3.25 }],
    ]);
  });

  it('writes the fields that onnxruntime writes, and reads them back', () => {
    const text = ort.encode(new Map([['array', { min: -2, max: 3.25 }]]));
    const { data, ...rest } = JSON.parse(golden) as { data: Record<string, Record<string, object>> };
    expect(JSON.parse(text)).toMatchObject(rest);
    const array = { lowest: data['array']!['lowest'], highest: { ...data['array']!['highest'], data: 3.25 } };
    expect(JSON.parse(text)).toMatchObject({ data: { array } });
    fc.assert(
      fc.property(ranges, (some) => {
        expect(ort.decode(ort.encode(some), 'x').ranges).toEqual(some);
      }),
    );
  });

  it.each([
    ['TABLE_FORMAT', '{'],
    ['TABLE_FORMAT', '{"data": {}}'],
    ['TABLE_FORMAT', golden.replace('lowest', 'low')],
    ['TABLE_TENSOR', golden.replace('-1.5', '9')],
    ['TABLE_TENSOR', golden.replace('-1.5', '"much"')],
    ['TABLE_TENSOR', golden.replace('[3.25]', '[3.25, 4]')],
  ])('refuses with %s: %s', (code, text) => {
    expect(() => ort.decode(text, 'a.json')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('a.json') }),
    );
  });
});

describe('TensorRT', () => {
  it('reads scales as largest magnitude / 127', () => {
    const { ranges: read, ...rest } = tensorrt.decode(mnist, 'mnist');
    expect(rest).toEqual({ method: 'EntropyCalibration2', symmetric: true });
    expect([...read.keys()]).toEqual(['data', 'conv1', 'prob']);
    // 0x3c010a14 = (1 + 0x010a14 / 2^23) * 2^(0x78 - 127), the bits read by hand.
    expect(read.get('prob')!.max).toBe((1 + 0x010a14 / 2 ** 23) * 2 ** -7 * 127);
    expect(read.get('prob')!.min).toBe(-read.get('prob')!.max);
  });

  it('writes them back, bit for bit', () => {
    const again = tensorrt.encode(tensorrt.decode(mnist, 'mnist').ranges);
    expect(again.split('\n').slice(1)).toEqual(mnist.split('\n').slice(1));
    const text = tensorrt.encode(
      new Map([
        ['a:0', { min: -254, max: 1 }],
        ['never', { min: 0, max: 0 }],
      ]),
    );
    expect(text).toBe('TRT-8601-EntropyCalibration2\na:0: 40000000\n');
    expect([...tensorrt.decode(text.replaceAll('\n', '\r\n'), 'x').ranges]).toEqual([['a:0', { min: -254, max: 254 }]]);
  });

  it.each([
    ['TABLE_FORMAT', 'TRT-7000\nx: 3c010a14'],
    ['TABLE_FORMAT', 'TRT-7000-EntropyCalibration2\nx 3c010a14'],
    ['TABLE_FORMAT', 'TRT-7000-EntropyCalibration2\nx: 0.25'],
    ['TABLE_TENSOR', 'TRT-7000-EntropyCalibration2\nx: 7f800000'],
    ['TABLE_TENSOR', 'TRT-7000-EntropyCalibration2\nx: bf800000'],
  ])('refuses with %s: %j', (code, text) => {
    expect(() => tensorrt.decode(text, 'a.cache')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('a.cache') }),
    );
  });
});

it('formats are told by their first bytes, and a state is none', () => {
  const of = (text: string) => tableFormatOf(new TextEncoder().encode(text))?.id;
  expect([of(golden), of(mnist), of(`\n ${golden}`)]).toEqual(['ort-json', 'tensorrt', 'ort-json']);
  expect(of('\x40\x01\0\0\0\0\0\0{"__metadata__":{}}')).toBeUndefined();
  expect(new Set(tableFormats.map(({ id }) => id)).size).toBe(tableFormats.length);
});
