/** Images of four inks, as printing has them: their colours on a screen are a matter of convention, and here it is Pillow's. */
import type { Pixels } from './resample.ts';

/**
 * Whether a JPEG holds four components; other files are asked of the decoder. Reading the head of a file is all that photographs, which
 * have three, cost.
 */
export function jpegComponents(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9];
    // Padding between segments.
    at += marker === 0xff ? 1 : 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
  }
  return undefined;
}

/** As Pillow's convert('RGB'): what black leaves over, less the share of the ink. */
export function fromInks(inks: Uint8Array, width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const light = 255 - inks[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = inks[from + c]! * light + 128;
      data[to + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return { width, height, channels: 3, data };
}
