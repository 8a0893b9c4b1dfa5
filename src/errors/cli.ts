/** Errors of the command line: what was typed does not fit a command. All are usage errors, exit code 2. */
import { didYouMean, usageError, type QdqError } from '../errors.ts';

export const cliErrors = {
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
