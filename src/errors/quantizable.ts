/** Errors of the plan: names that match nothing, schemes that no kernel runs, models that cannot carry the result, `--override`. */
import { didYouMean, QdqError, usageError, dataError } from './qdq-error.ts';
import type { Target } from '../backends/targets/target.ts';

/** 'uint8' as flags say it: u8. */
const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');

/** Errors of what the scheme asks for. */
export const planErrors = {
  noMatch: (flag: string, pattern: string, candidates: Iterable<string>): QdqError =>
    usageError(
      'PLAN_NO_MATCH',
      `--${flag} '${pattern}' matches no node name and no operator type of the model`,
      didYouMean(pattern, candidates, "'qdq inspect MODEL' lists its nodes and operator types"),
    ),

  badPattern: (flag: string, pattern: string, cause: string): QdqError =>
    usageError(
      'PLAN_BAD_PATTERN',
      `--${flag} '${pattern}' is not a valid regular expression: ${cause}`,
      'write /pattern/ or /pattern/i',
    ),

  unknownTarget: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'PLAN_TARGET',
      `unknown target '${name}'`,
      didYouMean(name, known, `known targets: ${known.join(', ')}`),
    ),

  unsignedWeights: (activation: string, weight: string): QdqError =>
    usageError(
      'PLAN_TYPES',
      `${activation} activations cannot be combined with ${weight} weights: onnxruntime has no such kernel`,
      'use --weight-type s8, or --activation-type u8',
    ),

  targetTypes: (
    { name, formats }: Pick<Target, 'name' | 'formats'>,
    what: 'activation' | 'weight',
    type: string,
    known: readonly string[],
  ): QdqError =>
    usageError(
      'PLAN_TARGET_TYPES',
      `target ${name} runs no ${type} ${what}s`,
      known.length > 0
        ? `use --${what}-type ${known.map(short).join(' or ')}`
        : `it runs no integer ${what}s at all: use --format ${formats.join(' or ')}`,
    ),

  targetSymmetry: (target: string): QdqError =>
    usageError(
      'PLAN_TARGET_SYMMETRY',
      `target ${target} takes symmetric activations only: zero points must be 0`,
      'leave --symmetric out, or choose another --target',
    ),

  targetChannels: (target: string, type: string, known: readonly string[]): QdqError =>
    usageError(
      'PLAN_TARGET_CHANNELS',
      `target ${target} takes one scale per channel for ${known.join(', ') || 'no'} weights only, not for ${type}`,
      'use --per-tensor, or another --weight-type',
    ),

  targetFormat: ({ name, formats }: Pick<Target, 'name' | 'formats'>, format: string): QdqError =>
    usageError(
      'PLAN_TARGET_FORMAT',
      `target ${name} does not run the format ${format}`,
      `use --format ${formats.join(' or ')}, or choose another --target`,
    ),

  nothing: (reasons: readonly string[]): QdqError =>
    dataError(
      'PLAN_NOTHING',
      `nothing in the model can be quantized${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
      'loosen --include/--exclude, or see the operators with qdq inspect',
    ),

  noNodes: (
    format: string,
    types: readonly string[],
    reasons: readonly string[],
    optional: string | undefined,
  ): QdqError =>
    dataError(
      'PLAN_NOTHING',
      `the ${format} format quantizes ${types.join(', ')} with constant weights, and the model has none that it can take${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
      optional === undefined
        ? 'use --format qdq, loosen --include/--exclude, or see the operators with qdq inspect'
        : `--include ${optional} quantizes those too, or use --format qdq`,
    ),

  /** @param dynamic the other way is there: the dynamic form has a kernel for what was left */
  noRecurrent: (left: readonly { readonly node: string; readonly reason: string }[], dynamic: boolean): QdqError =>
    usageError(
      'PLAN_NO_RECURRENT',
      left.length === 0
        ? '--recurrent scan: the model has no LSTM, GRU or RNN'
        : `--recurrent scan can open no node: ${left.map(({ node, reason }) => `'${node}': ${reason}`).join('; ')}`,
      dynamic
        ? 'leave it out, or use --format dynamic, which multiplies recurrent weights in int8'
        : 'leave it out: what cannot be opened stays float in every form, and the rest is quantized',
    ),

  alreadyQuantized: (node: string): QdqError =>
    dataError(
      'PLAN_ALREADY_QUANTIZED',
      `the model already holds quantized nodes (first: '${node}')`,
      'give the float model it was made from',
    ),
};

/** Errors of --override: words that say nothing, combinations that no kernel runs, overrides without effect. */

const at = (text: string): string => `--override '${text}'`;

/** Errors of --override: text that says nothing, combinations that no kernel runs, overrides without effect. */
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
