/**
 * One image file to one tensor. sharp (libvips) only decodes, to the same pixels as Pillow; everything after that is
 * our own arithmetic. As in Pillow and torchvision, the EXIF orientation is not applied, colour profiles are not
 * applied, and an alpha channel is dropped rather than blended. Images of four inks (CMYK), as printing has them, become RGB by Pillow's
 * convention.
 */
import type { TensorValue, TypedArray } from '../onnx/data-types.ts';
import { float32ToFloat16, fromFloat32 } from '../onnx/narrow-types.ts';
import { dataErrors } from '../errors/data.ts';
import { type Pixels, resample, type Box } from './resample-image.ts';
import { channelCount, type Preprocess } from './image-preprocess.ts';

type Decoder = (typeof import('sharp'))['default'];

let decoder: Promise<Decoder> | undefined;

/** sharp is optional: it is loaded when the first image is read. One thread and no cache keep memory flat. */
export function loadDecoder(): Promise<Decoder> {
  decoder ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.concurrency(1);
      sharp.cache(false);
      return sharp;
    },
    (cause: unknown) => {
      decoder = undefined;
      throw dataErrors.sharpMissing(cause);
    },
  );
  return decoder;
}

/** The RGB pixels of an encoded image; `name` is for the error when it cannot be decoded. */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Pixels> {
  const sharp = await loadDecoder();
  try {
    const image = sharp(bytes, { ignoreIcc: true, failOn: 'truncated', sequentialRead: true });
    if (await isOfInks(bytes, image)) {
      const inks = image.pipelineColourspace('cmyk').toColourspace('cmyk').raw();
      const { data, info } = await inks.toBuffer({ resolveWithObject: true });
      return fromInks(data, info.width, info.height);
    }
    const { data, info } = await image.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, data };
  } catch (cause) {
    throw dataErrors.imageBroken(name, cause);
  }
}

const isTiff = (bytes: Uint8Array): boolean => (bytes[0] === 0x49 || bytes[0] === 0x4d) && bytes[0] === bytes[1];

/** Whether an image is CMYK. Only where the head of the file leaves that open is the decoder asked. */
async function isOfInks(bytes: Uint8Array, image: ReturnType<Decoder>): Promise<boolean> {
  const components = jpegComponents(bytes);
  if (components !== undefined ? components !== 4 : !isTiff(bytes)) return false;
  return (await image.metadata()).space === 'cmyk';
}

/** What `preprocess` makes of every image: [1, C, H, W] or [1, H, W, C]. Built once, applied to each. */
export function imageTransform(preprocess: Preprocess): (image: Pixels, name: string) => TensorValue {
  const depth = channelCount(preprocess.channels);
  const tables = Array.from({ length: depth }, (_, c) => valueTable(preprocess, c));
  return (image, name) => {
    const { width, height } = resizedSize(image, preprocess);
    const box = centerBox(width, height, preprocess, name);
    const colours = preprocess.channels === 'gray' ? toGray(image) : image;
    const pixels = resample(colours, width, height, preprocess.resize?.kernel ?? 'nearest', box);
    const nchw = preprocess.layout === 'nchw';
    const dims = nchw ? [1, depth, box.height, box.width] : [1, box.height, box.width, depth];
    return { type: preprocess.dtype, dims, data: lookUp(pixels, preprocess, tables) };
  };
}

/** The size that every image ends with, where the spec fixes one. */
export function fixedSize({ resize, crop }: Preprocess): { width: number; height: number } | undefined {
  return crop ?? (resize?.fit === 'stretch' ? resize : undefined);
}

/** Rounded half to even, as Python rounds. */
function resizedSize({ width, height }: Pixels, { resize }: Preprocess): { width: number; height: number } {
  if (!resize) return { width, height };
  if (resize.fit === 'stretch') return resize;
  const scale = Math.max(resize.width / width, resize.height / height);
  return { width: Math.max(1, roundHalfEven(width * scale)), height: Math.max(1, roundHalfEven(height * scale)) };
}

function centerBox(width: number, height: number, { crop }: Preprocess, name: string): Box {
  if (!crop) return { left: 0, top: 0, width, height };
  if (crop.width > width || crop.height > height) throw dataErrors.cropTooLarge(name, crop, { width, height });
  return { left: (width - crop.width) >> 1, top: (height - crop.height) >> 1, ...crop };
}

/** The value of each 8-bit level in channel `c`: one rounding from float64, and no arithmetic per pixel. */
function valueTable({ dtype, scale, mean, std }: Preprocess, c: number): TypedArray {
  const value = (level: number): number => (level * scale - (mean[c] ?? mean[0]!)) / (std[c] ?? std[0]!);
  if (dtype === 'uint8') return Uint8Array.from({ length: 256 }, (_, level) => level);
  const table = Float32Array.from({ length: 256 }, (_, level) => value(level));
  return dtype === 'float16' ? fromFloat32(table, float32ToFloat16) : table;
}

function lookUp(pixels: Pixels, { channels, layout, dtype }: Preprocess, tables: readonly TypedArray[]): TypedArray {
  const { data, channels: depth } = pixels;
  const area = pixels.width * pixels.height;
  const length = area * depth;
  const output =
    dtype === 'uint8'
      ? new Uint8Array(length)
      : dtype === 'float16'
        ? new Uint16Array(length)
        : new Float32Array(length);
  for (let c = 0; c < depth; c++) {
    const table = tables[c]!;
    const source = channels === 'bgr' ? depth - 1 - c : c;
    const start = layout === 'nchw' ? c * area : c;
    const step = layout === 'nchw' ? 1 : depth;
    for (let i = 0, from = source, to = start; i < area; i++, from += depth, to += step) {
      output[to] = table[data[from]!] as number;
    }
  }
  return output;
}

/** ITU-R 601 luma in Pillow's fixed point (its mode L), before resizing as Pillow's users do. */
function toGray({ width, height, data }: Pixels): Pixels {
  const gray = new Uint8Array(width * height);
  for (let i = 0, from = 0; i < gray.length; i++, from += 3) {
    gray[i] = (data[from]! * 19595 + data[from + 1]! * 38470 + data[from + 2]! * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels: 1, data: gray };
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * The number of components of a JPEG, undefined for other files, of which the decoder is asked. Reading the head of a file is all that
 * photographs, which have three, cost.
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

/**
 * CMYK to RGB as Pillow's convert('RGB') has it: light = 255 - K, and each colour = light - ink · light / 255, rounded.
 * @param inks C, M, Y, K of each pixel
 */
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
