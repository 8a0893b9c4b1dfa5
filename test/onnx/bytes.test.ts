import { describe, expect, it } from 'vitest';
import { chunks, copyInto, JoinedBytes, MemoryBytes, toBytes } from '../../src/onnx/bytes.ts';

const digits = Uint8Array.from({ length: 10 }, (_, i) => i);
const joined = new JoinedBytes([
  digits.subarray(0, 3),
  new Uint8Array(),
  new MemoryBytes(digits.subarray(3, 4)),
  digits.subarray(4),
]);

describe('byte sources', () => {
  it('read every range across their parts', () => {
    for (let from = 0; from <= 10; from++) {
      for (let to = from; to <= 10; to++) expect(joined.read(from, to - from)).toEqual(digits.slice(from, to));
    }
  });

  it('refuse ranges beyond their end', () => {
    expect(() => joined.read(8, 3)).toThrow(RangeError);
    expect(() => new MemoryBytes(digits).read(-1, 2)).toThrow(RangeError);
  });

  it('come in chunks', () => {
    for (const payload of [digits, joined]) {
      expect([...chunks(payload, 4)].map((chunk) => chunk.length)).toEqual([4, 4, 2]);
      const seen: number[] = [];
      for (const chunk of chunks(payload, 4)) seen.push(...chunk);
      expect(seen).toEqual([...digits]);
    }
    expect([...chunks(new Uint8Array(), 4)]).toEqual([]);
  });

  it('are bytes when asked', () => {
    expect(toBytes(digits)).toBe(digits);
    expect(toBytes(joined)).toEqual(digits);
    const target = new Uint8Array(3);
    copyInto({ byteLength: 10, read: (offset, length) => digits.slice(offset, offset + length) }, 5, target);
    expect([...target]).toEqual([5, 6, 7]);
  });
});
