/** Errors of what was typed and of recipe files, which say the same in a file. All are usage errors, exit code 2. */
import { didYouMean, nearest, usageError, type QdqError } from './qdq-error.ts';

/** Errors of the command line: what was typed does not fit a command. */
export const cliErrors = {
  /** @param names what the function takes @param others functions of the library that take the option */
  unknownFunctionOption: (name: string, option: string, names: readonly string[], others: readonly string[]) => {
    const near = others.length > 0 ? undefined : nearest(option, names);
    const taken = others.length > 0 ? `it is an option of ${others.join(', ')}` : `it takes ${names.join(', ')}`;
    const hint = near === undefined ? taken : `did you mean '${near}'?`;
    return usageError('OPTION_UNKNOWN', `${name} has no option '${option}'`, hint);
  },

  unknownCommand: (word: string, commands: readonly string[]): QdqError =>
    usageError(
      'CLI_UNKNOWN_COMMAND',
      `unknown command '${word}'`,
      didYouMean(word, commands, "'qdq --help' lists the commands"),
    ),

  missingCommand: (): QdqError =>
    usageError('CLI_MISSING_COMMAND', 'a command is missing', "'qdq --help' lists the commands"),

  /** `takenBy`: commands that do have this option; `lacking`: why this one has not, on purpose. */
  unknownOption: (
    flag: string,
    command: string | undefined,
    known: readonly string[],
    takenBy: readonly string[],
    lacking?: string,
  ): QdqError => {
    const help = `'qdq ${command === undefined ? '' : `${command} `}--help' lists the options`;
    const elsewhere =
      takenBy.length === 0 || command === undefined ? undefined : `it is an option of ${takenBy.join(', ')}; ${help}`;
    return usageError(
      'CLI_UNKNOWN_OPTION',
      `unknown option '${flag}'${elsewhere === undefined ? '' : ` of ${command}`}`,
      lacking ?? elsewhere ?? didYouMean(flag, known, help),
    );
  },

  missingArgument: (command: string, argument: string, usage: string): QdqError =>
    usageError('CLI_MISSING_ARGUMENT', `${command}: ${argument} is missing`, `usage: ${usage}`),

  extraArgument: (command: string, word: string, usage: string): QdqError =>
    usageError('CLI_EXTRA_ARGUMENT', `${command}: unexpected argument '${word}'`, `usage: ${usage}`),

  missingOption: (command: string, flag: string, usage: string): QdqError =>
    usageError('CLI_MISSING_OPTION', `${command}: ${flag} is missing`, `usage: ${usage}`),

  missingValue: (flag: string, expects: string): QdqError =>
    usageError('CLI_MISSING_VALUE', `${flag} needs a value`, `give ${expects}`),

  badValue: (flag: string, problem: string, hint: string | undefined): QdqError =>
    usageError('CLI_BAD_VALUE', `${flag}: ${problem}`, hint),

  notNegatable: (flag: string, name: string): QdqError =>
    usageError(
      'CLI_NOT_NEGATABLE',
      `'--no-${name}' has no meaning: ${flag} takes a value`,
      `leave ${flag} out instead`,
    ),

  givenTwice: (flag: string, values: readonly string[]): QdqError =>
    usageError(
      'CLI_GIVEN_TWICE',
      `${flag} is given ${values.length} times: ${values.map((value) => `'${value}'`).join(', ')}`,
      'give it once',
    ),

  conflict: (first: string, second: string, why: string): QdqError =>
    usageError('CLI_CONFLICT', `${first} and ${second} exclude each other: ${why}`, 'give one of them'),
};

/** Errors of recipe files. Every one names the file, and the key where there is one. */

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/:$/, '');
}

/** Errors of recipe files. Each names the file, and the key where there is one. */
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
