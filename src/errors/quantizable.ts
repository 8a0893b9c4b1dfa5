/** Errors of the plan: names that match nothing, schemes that no kernel runs, models that cannot carry the result. */
import { dataError, didYouMean, usageError, type QdqError } from '../errors.ts';

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

  alreadyQuantized: (node: string): QdqError =>
    dataError(
      'PLAN_ALREADY_QUANTIZED',
      `the model already holds quantized nodes (first: '${node}')`,
      'give the float model it was made from',
    ),
};
