import { expect, it, describe } from 'vitest';
import { packed, textNumbers, textsOf, unpacked, decodeUtf8, encodeUtf8, hasEscapes } from '../../src/onnx/strings.ts';
import fc from 'fast-check';

describe('decodeUtf8 and encodeUtf8', () => {
  it('give back any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect([...encodeUtf8(decodeUtf8(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  it('agree with Buffer on valid text, byte order mark included', () => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    fc.assert(
      fc.property(text, (value) => {
        expect(decodeUtf8(Buffer.from(value))).toBe(value);
        expect([...encodeUtf8(value)]).toEqual([...Buffer.from(value)]);
        expect(hasEscapes(value)).toBe(false);
      }),
    );
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  });

  it('escape each wrong byte alone, as surrogateescape does', () => {
    expect(decodeUtf8(Uint8Array.of(0x61, 0xff, 0xc3, 0xa9, 0xc3))).toBe('a\udcffé\udcc3');
    expect(decodeUtf8(Uint8Array.of(0xc0, 0x80))).toBe('\udcc0\udc80');
    expect(decodeUtf8(Uint8Array.of(0xed, 0xb2, 0x80))).toBe('\udced\udcb2\udc80');
    expect(hasEscapes('\udcff')).toBe(true);
  });
});

const numbers = { type: 'float32' as const, dims: [1], data: Float32Array.of(1.5) };
const words = ['b', 'a', 'b'];

it('gives equal texts equal numbers, and takes them back', () => {
  const given = textNumbers(words);
  expect(given[0]).toBe(given[2]);
  expect(given[0]).not.toBe(given[1]);
  expect(textsOf(given)).toEqual(words);
});

it('sends texts as they are, so that the numbers of another thread do not matter', () => {
  const parcel = packed({ x: numbers, word: { type: 'string', dims: [3], data: textNumbers(words) } });
  expect(parcel.texts).toEqual({ word: words });
  // As it arrives where the table is another.
  const foreign = { ...parcel.tensors['word']!, data: Uint32Array.of(901, 902, 901) };
  const { x, word } = unpacked({ ...parcel, tensors: { ...parcel.tensors, word: foreign } });
  expect(x).toBe(numbers);
  expect(word).toEqual({ type: 'string', dims: [3], data: textNumbers(words) });
});
