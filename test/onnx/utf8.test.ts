import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeUtf8, hasEscapes } from '../../src/onnx/utf8.ts';

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
