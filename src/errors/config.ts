/** Errors of recipe files. Every one names the file, and the key where there is one. */
import { didYouMean, usageError, type QdqError } from '../errors.ts';

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/:$/, '');
}

export const configErrors = {
  notFound: (file: string): QdqError =>
    usageError('CONFIG_NOT_FOUND', `${file}: no such file`, 'check the path given to --config'),

  unreadable: (file: string, cause: unknown): QdqError =>
    usageError('CONFIG_UNREADABLE', `${file}: cannot be read: ${reason(cause)}`, 'check the permissions'),

  extension: (file: string, known: readonly string[]): QdqError =>
    usageError(
      'CONFIG_EXTENSION',
      `${file}: not a recipe file by its name`,
      `its name must end in ${known.join(', ')}`,
    ),

  syntax: (file: string, line: number | undefined, cause: unknown): QdqError =>
    usageError(
      'CONFIG_SYNTAX',
      `${file}${line === undefined ? '' : `:${line}`}: cannot be parsed: ${reason(cause)}`,
      'correct the file, or remove it to use flags alone',
    ),

  module: (file: string, cause: unknown): QdqError =>
    usageError(
      'CONFIG_MODULE',
      `${file}: fails when it is loaded: ${reason(cause)}`,
      'it must export the recipe as its default export',
    ),

  notAnObject: (file: string, path: string, found: string): QdqError =>
    usageError(
      'CONFIG_NOT_AN_OBJECT',
      `${file}: ${path === '' ? 'the recipe' : `'${path}'`} must be an object of settings, it is ${found}`,
      "its keys are the long flag names in camelCase, such as 'samples' or 'perTensor'",
    ),

  unknownKey: (file: string, key: string, known: readonly string[]): QdqError => {
    const section = key.slice(0, key.lastIndexOf('.') + 1);
    const fallback = `the keys known here are ${known.join(', ')}`;
    return usageError(
      'CONFIG_UNKNOWN_KEY',
      `${file}: unknown key '${key}'`,
      didYouMean(key.slice(section.length), known, fallback),
    );
  },

  badValue: (file: string, key: string, problem: string, hint: string | undefined): QdqError =>
    usageError('CONFIG_BAD_VALUE', `${file}: '${key}': ${problem}`, hint),

  several: (files: readonly string[]): QdqError =>
    usageError(
      'CONFIG_SEVERAL',
      `this folder has ${files.length} recipe files: ${files.join(', ')}`,
      'keep one, or name the one you mean with --config',
    ),
};
