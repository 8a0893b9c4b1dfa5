import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packSubByte, unpackSubByte } from '../../src/onnx/sub-byte.ts';

describe('sub-byte elements', () => {
  it('are packed low bits first', () => {
    expect([...packSubByte(Int8Array.of(1, -2, 7), 4)]).toEqual([0xe1, 0x07]);
    expect([...packSubByte(Uint8Array.of(3, 0, 2, 1, 1), 2)]).toEqual([0b01_10_00_11, 0b01]);
    expect([...unpackSubByte(Uint8Array.of(0x8f), 4, true, 2)]).toEqual([-1, -8]);
    expect([...unpackSubByte(Uint8Array.of(0x8f), 4, false, 2)]).toEqual([15, 8]);
    expect([...unpackSubByte(Uint8Array.of(0b11_10_01_00), 2, true, 4)]).toEqual([0, 1, -2, -1]);
  });

  it('come back as they were', () => {
    for (const bits of [2, 4]) {
      for (const signed of [true, false]) {
        const least = signed ? -(2 ** (bits - 1)) : 0;
        const element = fc.integer({ min: least, max: least + 2 ** bits - 1 });
        fc.assert(
          fc.property(fc.array(element, { maxLength: 9 }), (values) => {
            const packed = packSubByte(signed ? Int8Array.from(values) : Uint8Array.from(values), bits);
            expect(packed).toHaveLength(Math.ceil((values.length * bits) / 8));
            expect([...unpackSubByte(packed, bits, signed, values.length)]).toEqual(values);
          }),
        );
      }
    }
  });
});
