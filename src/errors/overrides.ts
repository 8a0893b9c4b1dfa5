/** Errors of --override: words that say nothing, combinations that no kernel runs, overrides without effect. */
import { didYouMean, QdqError, usageError } from '../errors.ts';

const at = (text: string): string => `--override '${text}'`;

export const overrideErrors = {
  syntax: (text: string): QdqError =>
    usageError(
      'OVERRIDE_SYNTAX',
      `${at(text)} is not "PATTERN: key=value, ..."`,
      'for example "Softmax: format=float" or "/head/: activation-type=u16"',
    ),

  key: (text: string, key: string, known: readonly string[]): QdqError =>
    usageError(
      'OVERRIDE_KEY',
      `${at(text)}: unknown key '${key}'`,
      didYouMean(key, known, `keys: ${known.join(', ')}`),
    ),

  twice: (text: string, key: string): QdqError =>
    usageError('OVERRIDE_TWICE', `${at(text)} says ${key} twice`, 'leave out one of the two'),

  value: (text: string, key: string, value: string, expects: string): QdqError =>
    usageError(
      'OVERRIDE_VALUE',
      `${at(text)}: ${key}=${value} is not ${expects.includes(', ') ? `one of ${expects}` : expects}`,
      didYouMean(value, expects.split(', ')),
    ),

  float: (text: string): QdqError =>
    usageError(
      'OVERRIDE_FLOAT',
      `${at(text)}: what is left float has no other settings`,
      'leave out format=float, or everything else',
    ),

  /** What a rule of the scheme or of the format refuses, with the override that breaks it. */
  refused: (text: string, { code, message, hint }: QdqError): QdqError =>
    usageError(code, `${at(text)}: ${message}`, hint),

  mix: (text: string, format: string, base: string, known: readonly string[]): QdqError =>
    usageError(
      'OVERRIDE_MIX',
      `${at(text)}: ${format} nodes cannot stand in a model of --format ${base}`,
      `formats that share a model: ${known.join(', ')}; float goes with all`,
    ),

  idle: (text: string, reasons: readonly string[]): QdqError =>
    usageError(
      'OVERRIDE_IDLE',
      `${at(text)} changes nothing: ${reasons.join('; ')}`,
      "leave it out, or see with 'qdq explain MODEL' which nodes are quantized",
    ),
};
