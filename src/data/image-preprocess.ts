/**
 * The preprocessing language of `--preprocess` for images: a text becomes a spec (what the user said), a spec and a model input
 * become a Preprocess (everything decided), and that has one canonical text for reports and state files.
 * The steps run in one order, whatever order they are written in:
 * decode → resize → crop → channels → ×scale → −mean → /std → layout.
 */
import { didYouMean } from '../errors/qdq-error.ts';
import { dataErrors } from '../errors/data.ts';
import { kernels, type Kernel } from './resample-image.ts';
import type { InputInfo } from './sample.ts';

/** `shortest`: keep the aspect ratio and cover width × height. `stretch`: exactly width × height. */
export type Fit = 'shortest' | 'stretch';
/** Colours and their order. */
export type Channels = 'rgb' | 'bgr' | 'gray';
/** The order of axes. */
export type Layout = 'nchw' | 'nhwc';
/** The element type of the tensor. */
export type PixelType = 'float32' | 'float16' | 'uint8';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** What is done to images, with everything decided. */
export interface Preprocess {
  readonly resize: (Size & { readonly fit: Fit; readonly kernel: Kernel }) | undefined;
  /** Cut from the centre; an odd margin has its larger half at the right and bottom. */
  readonly crop: Size | undefined;
  readonly channels: Channels;
  readonly scale: number;
  /** In the scaled unit and in the order of `channels`; one value stands for all channels. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly layout: Layout;
  readonly dtype: PixelType;
}

/** What a text says; what it leaves open is decided by the model input. */
export type PreprocessSpec = Omit<Preprocess, 'channels' | 'layout' | 'dtype'> & {
  readonly channels?: Channels;
  readonly layout?: Layout;
  readonly dtype?: PixelType;
};

/** Layout and dtype are left to the model, so that a preset serves NCHW and NHWC exports alike. */
export const presets: Readonly<Record<string, string>> = {
  none: '',
  imagenet: 'resize=256 crop=224 scale=1/255 mean=.485,.456,.406 std=.229,.224,.225 channels=rgb',
};

const keys = ['resize', 'fit', 'kernel', 'crop', 'scale', 'mean', 'std', 'channels', 'layout', 'dtype'] as const;
type Key = (typeof keys)[number];

/** Reads a spec such as `imagenet resize=232`: a preset, if any, comes first, and later keys override it. */
export function parsePreprocess(text: string): PreprocessSpec {
  const said = new Map<Key, string>();
  const words = text.split(/\s+/).filter((word) => word !== '');
  const preset = words[0]?.includes('=') === false ? words.shift() : undefined;
  if (preset !== undefined) {
    const meaning = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
    if (meaning === undefined) throw dataErrors.unknownPreset(preset, Object.keys(presets));
    for (const word of meaning.split(' ').filter(Boolean)) said.set(...keyAndValue(word));
  }
  const own = new Set<Key>();
  for (const word of words) {
    const [key, value] = keyAndValue(word);
    if (own.has(key)) throw dataErrors.preprocessTwice(key);
    own.add(key);
    said.set(key, value);
  }

  const read = <T>(key: Key, parse: (value: string, key: Key) => T, fallback: T): T => {
    const value = said.get(key);
    return value === undefined || value === 'none' ? fallback : parse(value, key);
  };
  const size = read<(Size & { square: boolean }) | undefined>('resize', parseSize, undefined);
  const fit = read<Fit>('fit', oneOf<Fit>(['shortest', 'stretch']), size?.square ? 'shortest' : 'stretch');
  const kernel = read<Kernel>('kernel', oneOf(kernels), 'bilinear');
  for (const key of ['fit', 'kernel'] as const) {
    if (size === undefined && own.has(key)) throw dataErrors.preprocessNeedsResize(key);
  }
  const crop = read<Size | undefined>('crop', parseSize, undefined);
  const channels = read<Channels | undefined>('channels', oneOf<Channels>(['rgb', 'bgr', 'gray']), undefined);
  const layout = read<Layout | undefined>('layout', oneOf<Layout>(['nchw', 'nhwc']), undefined);
  const dtype = read<PixelType | undefined>('dtype', oneOf<PixelType>(['float32', 'float16', 'uint8']), undefined);
  return {
    resize: size && { width: size.width, height: size.height, fit, kernel },
    crop: crop && { width: crop.width, height: crop.height },
    scale: read('scale', parseFactor, 1),
    mean: read('mean', parseList(parseNumber), [0]),
    std: read('std', parseList(parseFactor), [1]),
    ...(channels && { channels }),
    ...(layout && { layout }),
    ...(dtype && { dtype }),
  };
}

/** Decides what the spec leaves open from the input: layout and channel count from its shape, dtype from its type. */
export function resolvePreprocess(spec: PreprocessSpec, input: InputInfo): Preprocess {
  if (input.dims.length !== 4) throw dataErrors.notAnImageInput(input);
  const layout = spec.layout ?? (isChannelCount(input.dims[3]) && !isChannelCount(input.dims[1]) ? 'nhwc' : 'nchw');
  const channels = spec.channels ?? (input.dims[layout === 'nchw' ? 1 : 3] === 1 ? 'gray' : 'rgb');
  const dtype = spec.dtype ?? pixelTypeOf(input);
  if (dtype !== input.type) throw dataErrors.preprocessType(dtype, input);
  const { resize, crop, scale, mean, std } = spec;
  const depth = channelCount(channels);
  for (const [key, list] of [
    ['mean', mean],
    ['std', std],
  ] as const) {
    if (list.length !== 1 && list.length !== depth)
      throw dataErrors.preprocessChannels(key, list.length, channels, depth);
  }
  const raw = scale === 1 && mean.every((value) => value === 0) && std.every((value) => value === 1);
  if (dtype === 'uint8' && !raw) throw dataErrors.preprocessUint8(input);
  return { resize, crop, channels, scale, mean, std, layout, dtype };
}

/** What is assumed of images when nothing is said: stretched to the input's height and width, values 0 to 1. */
export function assumedPreprocess(input: InputInfo): Preprocess {
  const open = resolvePreprocess(parsePreprocess('none'), input);
  const [height, width] = open.layout === 'nchw' ? input.dims.slice(2) : input.dims.slice(1);
  if (typeof height !== 'number' || typeof width !== 'number') throw dataErrors.imageSizeUnknown(input);
  const resize = { width, height, fit: 'stretch', kernel: 'bilinear' } as const;
  return { ...open, resize, scale: open.dtype === 'uint8' ? 1 : 1 / 255 };
}

const assumedMark = ' (assumed: no --preprocess was given)';

/** One text per meaning: parsing it gives the same Preprocess back. */
export function canonicalPreprocess(p: Preprocess): string {
  const words: string[] = [];
  if (p.resize) {
    const { width, height, fit, kernel } = p.resize;
    const plain = width === height && fit === 'shortest';
    words.push(`resize=${plain ? width : `${width}x${height}`}`);
    if (width !== height && fit === 'shortest') words.push('fit=shortest');
    words.push(`kernel=${kernel}`);
  }
  if (p.crop) words.push(`crop=${p.crop.width === p.crop.height ? p.crop.width : `${p.crop.width}x${p.crop.height}`}`);
  if (p.scale !== 1) words.push(`scale=${numberText(p.scale)}`);
  if (p.mean.some((value) => value !== 0)) words.push(`mean=${p.mean.map(numberText).join(',')}`);
  if (p.std.some((value) => value !== 1)) words.push(`std=${p.std.map(numberText).join(',')}`);
  words.push(`channels=${p.channels}`, `layout=${p.layout}`, `dtype=${p.dtype}`);
  return words.join(' ');
}

/** The text for a report, marked when it was assumed. */
export function describePreprocess(p: Preprocess, assumed: boolean): string {
  return canonicalPreprocess(p) + (assumed ? assumedMark : '');
}

/** Whether `Dataset.preprocess` was assumed, not given: worth a warning. */
export function isAssumed(preprocess: string | undefined): boolean {
  return preprocess?.endsWith(assumedMark) ?? false;
}

/** The number of channels. */
export function channelCount(channels: Channels): number {
  return channels === 'gray' ? 1 : 3;
}

function isChannelCount(dim: number | string | null | undefined): boolean {
  return dim === 1 || dim === 3;
}

function pixelTypeOf(input: InputInfo): PixelType {
  if (input.type === 'float32' || input.type === 'float16' || input.type === 'uint8') return input.type;
  throw dataErrors.notAnImageInput(input);
}

function keyAndValue(word: string): [Key, string] {
  const at = word.indexOf('=');
  const key = at < 0 ? word : word.slice(0, at);
  if (!(keys as readonly string[]).includes(key)) {
    const known = at < 0 ? Object.keys(presets) : keys;
    throw dataErrors.unknownPreprocessKey(word, didYouMean(key, known, `the keys are ${keys.join(', ')}`));
  }
  if (at < 0 || at === word.length - 1) throw dataErrors.preprocessValue(key, '', 'a value after =, without spaces');
  return [key as Key, word.slice(at + 1)];
}

function oneOf<T extends string>(choices: readonly T[]): (value: string, key: Key) => T {
  return (value, key) => {
    if ((choices as readonly string[]).includes(value)) return value as T;
    throw dataErrors.preprocessValue(key, value, `one of ${choices.join(', ')}`, didYouMean(value, choices));
  };
}

function parseSize(value: string, key: Key): Size & { square: boolean } {
  const match = /^([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?$/.exec(value);
  if (!match) throw dataErrors.preprocessValue(key, value, 'a size in pixels such as 224 or 320x240 (width x height)');
  const width = Number(match[1]);
  return { width, height: Number(match[2] ?? width), square: match[2] === undefined };
}

/** A decimal number or a fraction of two. */
function parseNumber(value: string, key: Key): number {
  const parts = value.split('/');
  const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  const number = Number(parts[0]) / Number(parts[1] ?? 1);
  if (parts.length > 2 || !parts.every((part) => decimal.test(part)) || !Number.isFinite(number)) {
    throw dataErrors.preprocessValue(key, value, 'a number such as 0.5, 127 or 1/255');
  }
  return number;
}

function parseFactor(value: string, key: Key): number {
  const number = parseNumber(value, key);
  if (number <= 0) throw dataErrors.preprocessValue(key, value, 'a number above 0');
  return number;
}

/** Comma-separated; equal values collapse to one, so that `0.5` and `0.5,0.5,0.5` are the same spec. */
function parseList(item: (value: string, key: Key) => number): (value: string, key: Key) => readonly number[] {
  return (value, key) => {
    const numbers = value.split(',').map((part) => item(part, key));
    return numbers.every((number) => number === numbers[0]) && numbers.length === 3 ? [numbers[0]!] : numbers;
  };
}

/** The shortest text that parses to the same number; reciprocals of integers as fractions. */
function numberText(value: number): string {
  const inverse = Math.round(1 / value);
  return value < 1 && inverse > 10 && 1 / inverse === value && String(value).length > 6
    ? `1/${inverse}`
    : String(value);
}
