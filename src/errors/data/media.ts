/** Errors of images and of sound: files, folders and archives of them, and their preprocessing. */
import { dataError, listed, usageError, type QdqError } from '../qdq-error.ts';
import { expects, rewrite, type Input, reason } from './samples.ts';

/** Image folders and archives. */
export const images = {
  sharpMissing: (cause: unknown): QdqError =>
    dataError(
      'SHARP_MISSING',
      `images are decoded by the package 'sharp', which does not load: ${reason(cause)}`,
      "run 'npm install sharp', or give the samples as .npy or .npz",
      cause,
    ),

  imageBroken: (name: string, cause: unknown): QdqError =>
    dataError(
      'DATA_IMAGE',
      `'${name}' cannot be decoded: ${reason(cause)}`,
      'replace the image, or leave it out with --skip-bad',
      cause,
    ),

  imagesNeedOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_NOT_IMAGES',
      `'${path}' holds images, which feed one input; the model has ${listed(inputs.map(({ name }) => name))}`,
      'give .npz (arrays named after the inputs) or --reader',
    ),

  noImages: (path: string, { first, count }: { first: string | undefined; count: number }): QdqError =>
    dataError(
      'DATA_EMPTY',
      `'${path}' has no images${first === undefined ? ': it is empty' : ` (found '${first}'${count > 1 ? ` and ${count - 1} more` : ''})`}`,
      'images are .jpg, .jpeg, .png or .webp',
    ),

  mixedLayout: (path: string, file: string): QdqError =>
    dataError(
      'DATA_LAYOUT',
      `'${path}' has files both in subfolders and beside them ('${file}')`,
      'use class subfolders only, or one flat folder',
    ),

  splitFolders: (path: string, names: readonly string[]): QdqError =>
    usageError(
      'DATA_LAYOUT',
      `'${path}' holds the splits ${listed(names)}, not classes`,
      `give one of them: --data ${path}/${names[0]}`,
    ),

  labelsHeader: (path: string, header: readonly string[]): QdqError =>
    dataError(
      'DATA_LABELS',
      `'${path}' needs the columns file and class_index (or label); it has ${listed(header)}`,
      'give the table a header line',
    ),

  labelsRow: (path: string, line: number, what: string): QdqError =>
    dataError('DATA_LABELS', `'${path}' row ${line}: ${what}`, 'correct the table'),

  csvQuote: (row: number): QdqError =>
    dataError('DATA_LABELS', `labels.csv row ${row}: a quoted field does not end well`, 'correct the table'),

  badZip: (path: string, what: string, cause?: unknown): QdqError =>
    dataError('DATA_ZIP', `zip archive '${path}': ${what}`, rewrite, cause),

  zipMethod: (path: string, method: number): QdqError =>
    dataError(
      'DATA_ZIP_METHOD',
      `'${path}' is compressed by zip method ${method}`,
      'write the archive with deflate, or stored',
    ),

  zipTooLarge: (path: string, size: number): QdqError =>
    dataError(
      'DATA_ZIP_SIZE',
      `'${path}' is compressed and inflates to ${size} bytes`,
      'store it uncompressed (numpy.savez instead of savez_compressed): then it is read in place',
    ),
};

/** Sound files and their preprocessing. */
export const audio = {
  wavBroken: (name: string, what: string): QdqError =>
    dataError('DATA_WAV', `'${name}' is not a WAVE file that can be read: ${what}`, `${rewrite}; --skip-bad skips it`),

  wavEncoding: (name: string, encoding: string): QdqError =>
    dataError(
      'DATA_WAV_ENCODING',
      `'${name}' is encoded as ${encoding}`,
      'convert it to PCM (8, 16, 24 or 32 bits) or float (32 or 64 bits)',
    ),

  wavRates: (name: string, rate: number, first: string, firstRate: number): QdqError =>
    usageError(
      'DATA_WAV_RATE',
      `'${name}' has ${rate} samples per second, '${first}' has ${firstRate}`,
      `say at which rate the model listens: --preprocess "rate=${Math.min(rate, firstRate)}"`,
    ),

  noSounds: (path: string): QdqError => dataError('DATA_EMPTY', `'${path}' has no .wav files`, 'give at least one'),

  soundsNeedOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_NOT_AUDIO',
      `'${path}' holds sound, which feeds one input; the model has ${listed(inputs.map(({ name }) => name))}`,
      'set the others to constants (--input NAME=VALUE) or feed them from outputs (--carry OUTPUT=INPUT), or give --reader',
    ),

  notASoundInput: (input: Input): QdqError =>
    usageError(
      'DATA_NOT_AUDIO',
      `${expects(input)}: sound feeds a float input whose last dimension is time and whose others are 1`,
      'give .npy, .npz, .safetensors or --reader for this model',
    ),

  notASpectrogramInput: (input: Input): QdqError =>
    usageError(
      'DATA_NOT_AUDIO',
      `${expects(input)}: spectrograms feed a float input whose last two dimensions are bands and time and whose others are 1`,
      'leave mel out for a model that takes the sound itself, or give .npy, .npz, .safetensors or --reader',
    ),

  audioNeedsMel: (key: string): QdqError =>
    usageError(
      'PREPROCESS_MEL',
      `--preprocess: ${key} is of spectrograms, but there is no mel`,
      `add mel=BANDS or leave ${key} out`,
    ),

  audioMelAlone: (key: string): QdqError =>
    usageError(
      'PREPROCESS_MEL',
      `--preprocess: both mel and ${key} are given`,
      'a spectrogram is of a whole clip, of length=SAMPLES; its windows are fft long and hop apart',
    ),

  audioMelNeeds: (key: 'rate' | 'fft'): QdqError =>
    usageError(
      'PREPROCESS_MEL',
      `--preprocess: mel needs ${key}`,
      key === 'rate'
        ? 'say at which rate the model listens: rate=16000'
        : 'say how long a window is, in samples: fft=400',
    ),

  audioBands: (bands: number, layout: string, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess: mel=${bands} layout=${layout} does not fit: ${expects(input)}`,
      'change mel, or the order of the last two dimensions (layout=mel-time or layout=time-mel)',
    ),

  audioWindows: (length: number, made: number, fitting: number | undefined, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess: length=${length} makes ${made} windows, but ${expects(input)}`,
      fitting === undefined ? 'give more samples' : `length=${fitting} fits; see hop, center and last, too`,
    ),

  audioTooShort: (name: string, length: number, fft: number): QdqError =>
    dataError(
      'DATA_WAV',
      `'${name}' has ${length} samples, fewer than one window of ${fft}`,
      'give length=SAMPLES, to which clips are filled up, or leave center=none out',
    ),

  audioNeedsFrame: (key: string): QdqError =>
    usageError(
      'PREPROCESS_FRAME',
      `--preprocess: ${key} says how frames are cut, but there is no frame`,
      `add frame=SAMPLES or leave ${key} out`,
    ),

  audioFrameOrLength: (): QdqError =>
    usageError(
      'PREPROCESS_FRAME',
      '--preprocess: both frame and length are given',
      'frame cuts a clip, length fits it whole',
    ),

  audioLength: (made: string, length: number, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess: ${made} makes ${length} samples of sound, but ${expects(input)}`,
      'change frame, context or length to fit the model',
    ),
};
