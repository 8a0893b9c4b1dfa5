/**
 * Changes to samples before they train: for images horizontal flips, shifts (a crop of the padded image) and colour, all on the
 * preprocessed tensor; or a user's module. Random numbers are a function of seed and place, so that a run can be repeated.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Random } from '../data/random.ts';
import type { Sample } from '../data/sample.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Augment } from './batches.ts';

type Change = (image: Float32Array, shape: Shape, random: Random) => Float32Array;

/** The shape of one image [1, C, H, W]. */
interface Shape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** What each word of the spec does; the number is its amount. */
const changes: Readonly<Record<string, { readonly usual: number; make(amount: number): Change }>> = {
  flip: { usual: 0.5, make: flip },
  crop: { usual: 4, make: shift },
  color: { usual: 0.1, make: colour },
};

/**
 * "flip crop=4 color=0.1", or the path of a module whose default export is (sample, random) => sample.
 * @throws QAT_AUGMENT for a word that is none, QAT_AUGMENT_MODULE for a module that cannot be used
 */
export async function readAugment(spec: string): Promise<Augment> {
  if (/\.[cm]?js$/.test(spec.trim())) return readModule(spec.trim());
  const chosen = spec
    .trim()
    .split(/\s+/)
    .map((word): Change => {
      const [name, amount] = word.split('=') as [string, string | undefined];
      const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
      const number = amount === undefined ? change?.usual : Number(amount);
      if (!change || number === undefined || !(number > 0)) throw finetuneErrors.augment(word, Object.keys(changes));
      return change.make(number);
    });
  return (sample, random) => {
    const entries = Object.entries(sample.inputs).map(([name, tensor]) => [
      name,
      changed(sample, tensor, chosen, random),
    ]);
    return { ...sample, inputs: Object.fromEntries(entries) as Sample['inputs'] };
  };
}

async function readModule(path: string): Promise<Augment> {
  let found: { default?: unknown };
  try {
    found = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (cause) {
    throw finetuneErrors.augmentModule(path, (cause as Error).message, cause);
  }
  if (typeof found.default !== 'function')
    throw finetuneErrors.augmentModule(path, 'it has no default export that is a function');
  return found.default as Augment;
}

function changed(sample: Sample, tensor: TensorValue, chosen: readonly Change[], random: Random): TensorValue {
  const [one, channels, height, width] = tensor.dims as [number, number, number, number];
  if (tensor.dims.length !== 4 || one !== 1 || tensor.type !== 'float32')
    throw finetuneErrors.augmentShape(sample.id, tensor.type, tensor.dims);
  let data = tensor.data as Float32Array;
  for (const change of chosen) data = change(data, { channels, height, width }, random);
  return { ...tensor, data };
}

function unit(random: Random): number {
  return random.uint32() / 2 ** 32;
}

/** Flips left for right, with this probability. */
function flip(probability: number): Change {
  return (image, { channels, height, width }, random) => {
    if (unit(random) >= probability) return image;
    const out = new Float32Array(image.length);
    for (let row = 0; row < channels * height; row++) {
      for (let x = 0; x < width; x++) out[row * width + x] = image[row * width + width - 1 - x]!;
    }
    return out;
  };
}

/** Shifts by up to this many pixels each way. The border is repeated: it fits whatever the preprocessing made of black. */
function shift(pixels: number): Change {
  const most = Math.floor(pixels);
  return (image, { channels, height, width }, random) => {
    const [dy, dx] = [random.below(2 * most + 1) - most, random.below(2 * most + 1) - most];
    if (dx === 0 && dy === 0) return image;
    const out = new Float32Array(image.length);
    const limit = (at: number, size: number): number => Math.max(0, Math.min(size - 1, at));
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        const from = (c * height + limit(y + dy, height)) * width;
        const to = (c * height + y) * width;
        for (let x = 0; x < width; x++) out[to + x] = image[from + limit(x + dx, width)]!;
      }
    }
    return out;
  };
}

/** Changes brightness and contrast: x · (1 + a) + b of each channel, a up to this amount, b up to this part of the image's deviation. */
function colour(amount: number): Change {
  return (image, { channels, height, width }, random) => {
    const area = height * width;
    const out = new Float32Array(image.length);
    const deviation = deviationOf(image);
    for (let c = 0; c < channels; c++) {
      const gain = 1 + amount * (2 * unit(random) - 1);
      const bias = amount * deviation * (2 * unit(random) - 1);
      for (let i = c * area; i < (c + 1) * area; i++) out[i] = image[i]! * gain + bias;
    }
    return out;
  };
}

function deviationOf(values: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return Math.sqrt(Math.max(0, squares / values.length - mean * mean));
}
