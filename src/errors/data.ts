/**
 * Errors of samples: where `--data` looks for them, what they are made of (a file for each subject in data/), and whether they fit
 * the inputs of the model.
 */
import { dataError, usageError, type QdqError } from './qdq-error.ts';
import { reason, rewrite, samples } from './data/samples.ts';
import { arrays } from './data/arrays.ts';
import { audio, images } from './data/media.ts';
import { preprocessing, texts } from './data/preprocessing.ts';

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

/** All errors of samples. */
export const dataErrors = { ...places, ...samples, ...preprocessing, ...images, ...audio, ...texts, ...arrays };
