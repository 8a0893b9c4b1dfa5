import { expect, it } from 'vitest';
import { packed, textNumbers, textsOf, unpacked } from '../../src/onnx/texts.ts';

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
