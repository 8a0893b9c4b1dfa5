/** Sound files and their preprocessing. */
import { dataError, usageError, type QdqError } from '../../errors.ts';
import { expects, list, rewrite, type Input } from './words.ts';

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
      `'${path}' holds sound, which feeds one input; the model has ${list(inputs.map(({ name }) => name))}`,
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
