/** The preprocessing language, and its result against the model. */
import { dataError, didYouMean, usageError, type QdqError } from '../../errors.ts';
import { type Dims, expects, type Input, pixels, shape, type Size } from './words.ts';

export const preprocessing = {
  preprocessNotImages: (format: string): QdqError =>
    usageError(
      'PREPROCESS_NOT_IMAGES',
      `--preprocess is for images, sound and text; ${format} data is taken as it is`,
      'leave --preprocess out',
    ),

  unknownPreset: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'PREPROCESS_PRESET',
      `--preprocess: unknown preset '${name}'`,
      didYouMean(name, known, `presets are ${known.join(', ')}; all else is key=value`),
    ),

  unknownPreprocessKey: (word: string, hint: string | undefined): QdqError =>
    usageError(
      'PREPROCESS_KEY',
      `--preprocess: '${word}' is no key=value that is known here (a preset comes first)`,
      hint,
    ),

  preprocessTwice: (key: string): QdqError =>
    usageError('PREPROCESS_TWICE', `--preprocess: '${key}' is given twice`, 'give it once'),

  preprocessValue: (key: string, value: string, wanted: string, hint?: string): QdqError =>
    usageError('PREPROCESS_VALUE', `--preprocess: ${key}=${value} is not ${wanted}`, hint ?? `give ${key}=${wanted}`),

  preprocessNeedsResize: (key: string): QdqError =>
    usageError(
      'PREPROCESS_RESIZE',
      `--preprocess: ${key} says how to resize, but there is no resize`,
      `add resize=SIZE or leave ${key} out`,
    ),

  preprocessChannels: (key: string, count: number, channels: string, depth: number): QdqError =>
    usageError(
      'PREPROCESS_CHANNELS',
      `--preprocess: ${key} has ${count} values, channels=${channels} has ${depth}`,
      `give 1 or ${depth} values`,
    ),

  preprocessType: (dtype: string, input: Input): QdqError =>
    usageError(
      'PREPROCESS_TYPE',
      `--preprocess: dtype=${dtype}, but ${expects(input)}`,
      `use dtype=${input.type} or leave dtype out`,
    ),

  preprocessUint8: (input: Input): QdqError =>
    usageError(
      'PREPROCESS_UINT8',
      `--preprocess: ${expects(input)}, raw pixels: scale, mean and std do not apply`,
      'leave them out; override a preset with scale=none mean=none std=none',
    ),

  preprocessShape: (dims: Dims, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess makes ${shape(dims)}, but ${expects(input)}`,
      'change resize, crop, channels or layout to fit the model',
    ),

  cropTooLarge: (name: string, crop: Size, size: Size): QdqError =>
    dataError(
      'PREPROCESS_CROP',
      `'${name}': crop=${pixels(crop)} is larger than the image (${pixels(size)})`,
      'resize to at least the crop first, e.g. resize=256 crop=224, or leave small images out with --skip-bad',
    ),

  notAnImageInput: (input: Input): QdqError =>
    usageError(
      'DATA_NOT_IMAGES',
      `${expects(input)}: images feed float32, float16 or uint8 inputs of four dimensions`,
      'give .npy, .npz or --reader for this model',
    ),

  imageSizeUnknown: (input: Input): QdqError =>
    usageError(
      'DATA_IMAGE_SIZE',
      `${expects(input)}: its height and width are open`,
      'say how images are prepared: --preprocess "resize=256 crop=224 ..."',
    ),
};
