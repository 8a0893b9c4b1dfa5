/** Errors of samples: where they are looked for, what they are made of, and whether they fit the model's inputs. */
import { dataError, didYouMean, usageError, type QdqError } from '../errors.ts';

type Dims = readonly (number | string | null)[];

interface Input {
  readonly name: string;
  readonly type: string;
  readonly dims: Dims;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const shape = (dims: Dims): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
const expects = ({ name, type, dims }: Input): string => `input '${name}' takes ${type} ${shape(dims)}`;
const list = (names: Iterable<string>): string => [...names].map((name) => `'${name}'`).join(', ') || 'none';
const reason = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.trim();
const pixels = ({ width, height }: Size): string => `${width}x${height}`;

const rewrite = 'write the file again, or check that it was copied whole';

/** What `--data` points to. */
const places = {
  noData: (accepts: readonly string[]): QdqError =>
    usageError(
      'DATA_NONE',
      'samples are needed: give --data PATH or --reader MODULE',
      `PATH is ${accepts.join('; or ')}. '--data random' runs without real samples, but its result means nothing for accuracy`,
    ),

  dataAndReader: (path: string, reader: string): QdqError =>
    usageError('DATA_TWICE', `both --data '${path}' and --reader '${reader}' are given`, 'give one of them'),

  notFound: (path: string, missing: string, match: string | undefined): QdqError =>
    usageError(
      'DATA_NOT_FOUND',
      `--data '${path}' does not exist${missing === path ? '' : `: there is no '${missing}'`}`,
      match === undefined ? 'check the path' : `did you mean '${match}'?`,
    ),

  unreadable: (path: string, cause: unknown): QdqError =>
    dataError(
      'DATA_UNREADABLE',
      `cannot read '${path}': ${reason(cause)}`,
      'check that it exists and may be read',
      cause,
    ),

  unknownFormat: (path: string, accepts: readonly string[]): QdqError =>
    usageError('DATA_FORMAT', `'${path}' is in no known data format`, `give ${accepts.join('; or ')}`),

  truncated: (name: string, wanted: number, size: number): QdqError =>
    dataError('DATA_TRUNCATED', `'${name}' is cut short: it has ${size} bytes where ${wanted} are needed`, rewrite),

  empty: (name: string): QdqError => dataError('DATA_EMPTY', `'${name}' has no samples`, 'give at least one'),
};

/** Samples against the model's inputs. */
const samples = {
  inputMissing: (where: string, name: string, found: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_MISSING',
      `${where}: nothing for model input '${name}' (found ${list(found)})`,
      'name every array after its input',
    ),

  inputUnknown: (where: string, name: string, known: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_UNKNOWN',
      `${where}: the model has no input '${name}'`,
      didYouMean(name, known, `its inputs are ${list(known)}; leave out the rest`),
    ),

  wrongType: (where: string, input: Input, type: string): QdqError =>
    dataError('DATA_TYPE', `${where}: ${expects(input)}, the data is ${type}`, `convert the data to ${input.type}`),

  wrongShape: (where: string, input: Input, dims: Dims): QdqError =>
    dataError(
      'DATA_SHAPE',
      `${where}: ${expects(input)}, the data is ${shape(dims)}`,
      'bring the data into the shape that the model takes (images: --preprocess)',
    ),

  wrongLength: (where: string, input: Input, dims: Dims, length: number): QdqError =>
    dataError(
      'DATA_LENGTH',
      `${where}: input '${input.name}' of shape ${shape(dims)} comes with ${length} elements`,
      'give as many elements as the shape has',
    ),

  outOfRange: (where: string, input: Input, cause: unknown): QdqError =>
    dataError('DATA_RANGE', `${where}: input '${input.name}': ${reason(cause)}`, `convert the data to ${input.type}`),

  notFinite: (where: string, name: string, index: number): QdqError =>
    dataError(
      'DATA_NOT_FINITE',
      `${where}: input '${name}' has NaN or infinity at element ${index}`,
      'remove or repair the sample: one such value spoils every range',
    ),

  badLabel: (where: string, label: unknown): QdqError =>
    dataError('DATA_LABEL', `${where}: label ${String(label)} is not a class index`, 'labels are integers'),

  labelMissing: (where: string): QdqError =>
    dataError('DATA_LABEL', `${where} has no label, others in its batch have one`, 'label all samples or none'),

  unsupportedType: (where: string, input: Input): QdqError =>
    dataError(
      'DATA_TYPE_UNSUPPORTED',
      `${where}: ${expects(input)}, and samples of that type are not supported`,
      'give float, integer or boolean inputs',
    ),

  noBatchAxis: (name: string): QdqError =>
    usageError('DATA_BATCH', `input '${name}' is a scalar and cannot be batched`, 'use --batch 1'),

  unevenBatch: (id: string, name: string, dims: Dims, firstId: string, firstDims: Dims): QdqError =>
    dataError(
      'DATA_BATCH_SHAPE',
      `${id}: input '${name}' is ${shape(dims)}, '${firstId}' in the same batch is ${shape(firstDims)}`,
      'use --batch 1, or give all samples one shape',
    ),

  wrongBatch: (input: Input, dims: Dims, size: number): QdqError =>
    usageError(
      'DATA_BATCH',
      `${expects(input)}, a batch of ${size} is ${shape(dims)}`,
      'choose --batch (and --samples, for the last batch) to fit the model',
    ),

  randomShape: (input: Input): QdqError =>
    usageError(
      'DATA_RANDOM_SHAPE',
      `${expects(input)}: random data cannot know the open dimensions`,
      'give real samples with --data or --reader',
    ),
};

/** The preprocessing language, and its result against the model. */
const preprocessing = {
  preprocessNotImages: (format: string): QdqError =>
    usageError(
      'PREPROCESS_NOT_IMAGES',
      `--preprocess is for images; ${format} data is taken as it is`,
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
      'resize to at least the crop first, e.g. resize=256 crop=224',
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

/** Image folders and archives. */
const images = {
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
      'replace the image or take it out of the folder',
      cause,
    ),

  imagesNeedOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_NOT_IMAGES',
      `'${path}' holds images, which feed one input; the model has ${list(inputs.map(({ name }) => name))}`,
      'give .npz (arrays named after the inputs) or --reader',
    ),

  noImages: (path: string, names: readonly string[]): QdqError =>
    dataError(
      'DATA_EMPTY',
      `'${path}' has no images${names.length > 0 ? ` (found '${names[0]}'${names.length > 1 ? ` and ${names.length - 1} more` : ''})` : ': it is empty'}`,
      'images are .jpg, .jpeg, .png or .webp',
    ),

  mixedLayout: (path: string, file: string): QdqError =>
    dataError(
      'DATA_LAYOUT',
      `'${path}' has images both in subfolders and beside them ('${file}')`,
      'use class subfolders only, or one flat folder',
    ),

  splitFolders: (path: string, names: readonly string[]): QdqError =>
    usageError(
      'DATA_LAYOUT',
      `'${path}' holds the splits ${list(names)}, not classes`,
      `give one of them: --data ${path}/${names[0]}`,
    ),

  labelsHeader: (path: string, header: readonly string[]): QdqError =>
    dataError(
      'DATA_LABELS',
      `'${path}' needs the columns file and class_index (or label); it has ${list(header)}`,
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

/** Array files, TensorProto sets and reader modules. */
const arrays = {
  badNpy: (name: string, what: string): QdqError =>
    dataError('DATA_NPY', `'${name}' is not an .npy array that can be read: ${what}`, rewrite),

  npyType: (name: string, descr: string): QdqError =>
    dataError(
      'DATA_NPY_TYPE',
      `'${name}' has dtype ${descr}`,
      'save a plain little-endian float, integer or bool array',
    ),

  arrayShape: (name: string, dims: Dims, input: Input): QdqError =>
    dataError(
      'DATA_SHAPE',
      `array '${name}' is ${shape(dims)}, but ${expects(input)}`,
      `samples lie along the first axis: ${shape(['N', ...input.dims.slice(1)])} or ${shape(['N', ...input.dims])}`,
    ),

  arrayCounts: (name: string, count: number, first: string, firstCount: number): QdqError =>
    dataError(
      'DATA_COUNT',
      `array '${name}' has ${count} samples, '${first}' has ${firstCount}`,
      'give every array one row per sample',
    ),

  arraysUnmatched: (path: string, name: string, found: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_MISSING',
      `'${path}' has no array for model input '${name}' (found ${list(found)})`,
      didYouMean(name, found, 'name the arrays after the inputs'),
    ),

  npyOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_INPUT_MISSING',
      `'${path}' is one array; the model has the inputs ${list(inputs.map(({ name }) => name))}`,
      'give .npz with one array per input',
    ),

  labelsArray: (path: string, type: string, dims: Dims): QdqError =>
    dataError('DATA_LABELS', `the labels in '${path}' are ${type} ${shape(dims)}`, 'give one integer per sample'),

  protoBroken: (path: string, cause: unknown): QdqError =>
    dataError('DATA_TENSOR_PROTO', `'${path}' is not a TensorProto that can be read: ${reason(cause)}`, rewrite, cause),

  protoFiles: (path: string, found: readonly string[], inputs: readonly Input[]): QdqError =>
    dataError(
      'DATA_TENSOR_PROTO',
      `'${path}' has ${list(found)} for the ${inputs.length} inputs ${list(inputs.map(({ name }) => name))}`,
      'a set has input_0.pb, input_1.pb, ... in the order of the model inputs',
    ),

  readerImport: (path: string, cause: unknown): QdqError =>
    dataError(
      'READER_IMPORT',
      `reader '${path}' cannot be imported: ${reason(cause)}`,
      'a reader is a JavaScript module (.mjs, .js or .cjs)',
      cause,
    ),

  readerExport: (path: string, found: string): QdqError =>
    dataError(
      'READER_EXPORT',
      `reader '${path}' exports ${found}`,
      "export default (or 'reader') a generator function, an iterable, or {length, get(i)}",
    ),

  readerFailed: (path: string, position: number, cause: unknown): QdqError =>
    dataError(
      'READER_FAILED',
      `reader '${path}' failed at sample ${position}: ${reason(cause)}`,
      'the error comes from the module itself',
      cause,
    ),

  readerSample: (where: string, found: string): QdqError =>
    dataError(
      'READER_SAMPLE',
      `${where} is ${found}`,
      'a sample is {input: typed array or {data, dims}, label?}, or the bare typed array of a model with one input',
    ),

  readerDims: (where: string, input: Input, length: number): QdqError =>
    dataError(
      'READER_DIMS',
      `${where}: ${expects(input)}; ${length} elements do not tell the open dimensions`,
      'yield {data, dims} instead of the bare array',
    ),
};

export const dataErrors = { ...places, ...samples, ...preprocessing, ...images, ...arrays };
