/** Errors of `--preprocess`: the language and its result against the model, tokenizers and the texts that they cut into tokens. */
import { dataError, didYouMean, listed, usageError, type QdqError } from '../qdq-error.ts';
import { expects, reason, type Input, type Dims, pixels, shape, type Size } from './samples.ts';

/** The preprocessing language, and its result against the model. */
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

/** Texts, their tokenizer, and the inputs that token ids feed. */
export const texts = {
  tokenizersMissing: (cause: unknown): QdqError =>
    dataError(
      'TOKENIZERS_MISSING',
      `texts are cut into tokens by the package '@huggingface/tokenizers', which does not load: ${reason(cause)}`,
      "run 'npm install @huggingface/tokenizers', or give token ids: .jsonl, .npy or .npz",
      cause,
    ),

  tokenizerUnreadable: (path: string, cause: unknown): QdqError =>
    dataError(
      'TOKENIZER_FILE',
      `--preprocess: the tokenizer '${path}' cannot be read: ${reason(cause)}`,
      "give the model's tokenizer.json, or the folder that holds it: tokenizer=PATH",
      cause,
    ),

  tokenizerBroken: (path: string, cause: unknown): QdqError =>
    dataError(
      'TOKENIZER_FILE',
      `'${path}' is not a tokenizer that can be used: ${reason(cause)}`,
      'give the tokenizer.json that was saved with the model',
      cause,
    ),

  tokenizerNeeded: (): QdqError =>
    usageError(
      'PREPROCESS_TOKENIZER',
      '--preprocess of text names no tokenizer',
      'add tokenizer=tokenizer.json, or leave --preprocess out when the lines hold numbers',
    ),

  tokenizerInput: (input: Input, known: readonly string[]): QdqError =>
    usageError(
      'DATA_NOT_TEXT',
      `${expects(input)}: text feeds ${listed(known)}, int64 or int32, of two dimensions`,
      didYouMean(input.name, known, 'set others to constants (--input NAME=VALUE), or give their numbers as .jsonl'),
    ),

  tokenizerLength: (length: number, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess makes ${length} tokens, but ${expects(input)}`,
      'leave max-length out where the model fixes the length',
    ),

  tokenizerPadding: (path: string): QdqError =>
    usageError(
      'PREPROCESS_PADDING',
      `'${path}' names no token to fill short texts up with`,
      'name its id: --preprocess "... pad=0", or leave max-length out where the model takes any length',
    ),

  tokenizerRoom: (length: number, specials: number): QdqError =>
    usageError(
      'PREPROCESS_VALUE',
      `--preprocess: the tokenizer adds ${specials} tokens to every text, which leaves none of ${length} for the text`,
      `give max-length=${specials + 1} or more`,
    ),

  tokenUnknown: (id: string, token: string): QdqError =>
    dataError(
      'DATA_TOKEN',
      `${id}: the tokenizer has no id for its token '${token}'`,
      'give the tokenizer.json that was saved with the model',
    ),

  tokenNone: (id: string): QdqError =>
    dataError('DATA_TOKEN', `${id}: the text has no tokens`, 'correct the line, or skip it with --skip-bad'),

  textOfTable: (path: string): QdqError =>
    usageError('PREPROCESS_NOT_TEXT', `'${path}': texts are read from .txt or .jsonl`, 'write {"text": "..."} lines'),

  textFields: (path: string, key: string): QdqError =>
    usageError(
      'PREPROCESS_NOT_TEXT',
      `--preprocess: ${key} names a field of .jsonl; a line of '${path}' is one text`,
      `leave ${key} out`,
    ),

  textMissing: (id: string, field: string, fields: Readonly<Record<string, unknown>>): QdqError => {
    const names = Object.keys(fields).filter((name) => typeof fields[name] === 'string');
    return dataError(
      'DATA_TEXT',
      `${id}: field '${field}' holds no text (texts: ${listed(names)})`,
      names.length > 0
        ? `name the field: --preprocess "... text=${names[0]}", or skip the line with --skip-bad`
        : 'give {"text": "..."} on each line, or skip it with --skip-bad',
    );
  },
};
