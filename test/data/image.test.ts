import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { fromInks, jpegComponents, decodeImage } from '../../src/data/image.ts';
import { noise, png } from './helpers.ts';

/** Two fields of ink, 16 x 8, written by Pillow 13: Image.fromarray(array, 'CMYK').save(file, 'JPEG', quality=90). */
const written =
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFBgSFBUU/8AA' +
  'FAgACAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQci' +
  'cRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqi' +
  'o6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD1Wq9fJlfB9fmrX5z1+71fSFf/' +
  '2Q==';

describe('images of four inks', () => {
  it('have the colours that Pillow gives them', async () => {
    const bytes = Buffer.from(written, 'base64');
    const { data, ...size } = await decodeImage(bytes, 'inks.jpg');
    const pixel = (x: number, y: number): number[] => [...data.subarray(3 * (16 * y + x), 3 * (16 * y + x) + 3)];
    expect(size).toEqual({ width: 16, height: 8, channels: 3 });
    // Of Image.open(file).convert('RGB').
    expect([pixel(0, 0), pixel(15, 0), pixel(8, 7)]).toEqual([
      [24, 19, 9],
      [17, 7, 87],
      [17, 7, 87],
    ]);
    expect(data.reduce((sum, value) => sum + value, 0)).toBe(10432);
  });

  it('are told by their head; others are read as before', async () => {
    expect(jpegComponents(Buffer.from(written, 'base64'))).toBe(4);
    const image = noise(16, 8);
    const three = await sharp(image.data, { raw: { width: 16, height: 8, channels: 3 } })
      .jpeg()
      .toBuffer();
    expect(jpegComponents(three)).toBe(3);
    expect(jpegComponents(await png(image))).toBeUndefined();
    expect(jpegComponents(Uint8Array.of(0xff, 0xd8, 0xff))).toBeUndefined();
    expect((await decodeImage(three, 'three.jpg')).channels).toBe(3);
  });

  it('are light where there is no ink, and black where there is nothing but black', () => {
    expect([...fromInks(Uint8Array.of(0, 0, 0, 0, 9, 9, 9, 255, 255, 0, 128, 0), 3, 1).data]).toEqual([
      ...[255, 255, 255, 0, 0, 0],
      ...[0, 255, 127],
    ]);
  });
});
