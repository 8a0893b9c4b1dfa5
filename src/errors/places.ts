/** Errors of the places that a run writes to, all found before any work is done. */
import { firstLine } from './backends.ts';
import { usageError, type QdqError } from '../errors.ts';

export const placeErrors = {
  /** @param what the input is, in words that name its path */
  outputIsInput: (flag: string, path: string, what: string): QdqError =>
    usageError(
      'OUTPUT_IS_INPUT',
      `${flag}: '${path}' would replace ${what}, and no input is ever overwritten`,
      'choose another output name',
    ),

  holdsInput: (flag: string, path: string, what: string): QdqError =>
    usageError(
      'OUTPUT_IS_INPUT',
      `${flag}: the working folder '${path}', which is removed at the end, holds ${what}`,
      'choose another output name, or move the input',
    ),

  twice: (first: string, second: string, path: string): QdqError =>
    usageError(
      'OUTPUT_TWICE',
      `${first} and ${second} name the same file '${path}'`,
      'choose another name for one of them',
    ),

  noFolder: (flag: string, folder: string): QdqError =>
    usageError(
      'OUTPUT_NO_FOLDER',
      `${flag}: there is no folder '${folder}' to write into`,
      'create it first (mkdir -p)',
    ),

  isFolder: (flag: string, path: string): QdqError =>
    usageError('OUTPUT_IS_FOLDER', `${flag}: '${path}' is a folder, not a file`, 'give a file name'),

  notAFolder: (flag: string, path: string): QdqError =>
    usageError('OUTPUT_NOT_A_FOLDER', `${flag}: '${path}' is a file, not a folder`, 'give the name of a folder'),

  locked: (path: string, lock: string, holder: { readonly pid: number; readonly host: string | undefined }): QdqError =>
    usageError(
      'OUTPUT_LOCKED',
      `process ${holder.pid}${holder.host === undefined ? '' : ` on ${holder.host}`} is writing '${path}'`,
      holder.host === undefined
        ? 'wait for it, or choose another output name'
        : `wait for it, or choose another output name; if that run is over, remove '${lock}'`,
    ),

  unwritable: (flag: string, folder: string, cause: unknown): QdqError =>
    usageError(
      'OUTPUT_UNWRITABLE',
      `${flag}: nothing can be written into folder '${folder}': ${firstLine(cause)}`,
      'choose another folder, or mend its permissions',
    ),
};
