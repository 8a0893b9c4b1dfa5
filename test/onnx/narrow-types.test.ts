import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  packSubByte,
  unpackSubByte,
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
  fromFloat32,
  toFloat32,
} from '../../src/onnx/narrow-types.ts';

const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a pattern by the definition of the format. */
function valueOf(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = (bits & 0x7fff) >> mantissaBits;
  const mantissa = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** (1 - bias) : (1 + mantissa) * 2 ** (exponent - bias));
}

const formats = [
  { name: 'float16', decode: float16ToFloat32, encode: float32ToFloat16, exponentBits: 5, mantissaBits: 10 },
  { name: 'bfloat16', decode: bfloat16ToFloat32, encode: float32ToBfloat16, exponentBits: 8, mantissaBits: 7 },
] as const;

describe.each(formats)('$name', ({ decode, encode, exponentBits, mantissaBits }) => {
  it('decodes all 65,536 patterns to their defined value', () => {
    const wrong = patterns.filter((bits) => !Object.is(decode(bits), valueOf(bits, exponentBits, mantissaBits)));
    expect([...wrong]).toEqual([]);
  });

  it('encodes every value back to its pattern, NaN to NaN', () => {
    const wrong = patterns.filter((bits) => {
      const value = valueOf(bits, exponentBits, mantissaBits);
      return Number.isNaN(value) ? !Number.isNaN(decode(encode(value))) : encode(value) !== bits;
    });
    expect([...wrong]).toEqual([]);
  });

  it('rounds midpoints to even, and what lies beside them to the nearer side', () => {
    const infinity = (2 ** exponentBits - 1) << mantissaBits;
    const float = new Float32Array(1);
    const integer = new Int32Array(float.buffer);
    const wrong = patterns.subarray(0, infinity - 1).filter((bits) => {
      const [low, high] = [bits, bits + 1].map((b) => valueOf(b, exponentBits, mantissaBits));
      float[0] = (low! + high!) / 2;
      const even = bits + (bits & 1);
      const atMiddle = encode(float[0]) === even && encode(-float[0]) === 0x8000 + even;
      integer[0]! -= 1;
      const below = encode(float[0]) === bits;
      integer[0]! += 2;
      return !(atMiddle && below && encode(float[0]) === bits + 1);
    });
    expect([...wrong]).toEqual([]);
  });

  it('turns what is too large into infinity', () => {
    const infinity = (2 ** exponentBits - 1) << mantissaBits;
    const largest = valueOf(infinity - 1, exponentBits, mantissaBits);
    const beyond = largest + (largest - valueOf(infinity - 2, exponentBits, mantissaBits)) / 2;
    expect(encode(Math.fround(beyond))).toBe(infinity);
    expect(encode(Infinity)).toBe(infinity);
    expect(encode(-Infinity)).toBe(0x8000 | infinity);
  });

  it('converts arrays as it does single values', () => {
    const floats = toFloat32(patterns, decode);
    expect(floats[0x3c00]).toBe(decode(0x3c00));
    const numbers = patterns.filter((bits) => !Number.isNaN(decode(bits)));
    expect(fromFloat32(toFloat32(numbers, decode), encode)).toEqual(numbers);
  });

  it('is never farther from a float32 than a neighbour is', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -60000, max: 60000 }), (value) => {
        const bits = encode(value);
        const error = Math.abs(decode(bits) - value);
        for (const other of [bits - 1, bits + 1]) {
          const neighbour = decode(other & 0xffff);
          if (Number.isFinite(neighbour)) expect(error).toBeLessThanOrEqual(Math.abs(neighbour - value));
        }
      }),
    );
  });
});

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
