/** Image folders and archives. */
import { dataError, usageError, type QdqError } from '../../errors.ts';
import { type Input, list, reason, rewrite } from './words.ts';

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
      `'${path}' holds images, which feed one input; the model has ${list(inputs.map(({ name }) => name))}`,
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
