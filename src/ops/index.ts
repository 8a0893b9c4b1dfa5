/**
 * Every operator qdq knows, by type, and what follows from their rules. To add one: write its `OpSpec` in the file of its family, or in a
 * new one, and list it here.
 */
import type { Node } from '../graph/node.ts';
import type { Interval, OpSpec } from './op.ts';
import {
  clip,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  prelu,
  relu,
  sigmoid,
  thresholdedRelu,
  logSoftmax,
  softmax,
} from './activation.ts';
import { cast, dropout, add, div, extremeOfMany, meanOfMany, mul, pow, sub, sumOfMany, where } from './elementwise.ts';
import { concat, depthToSpace, reshape, spaceToDepth, transpose } from './reshape.ts';
import { convTranspose, conv } from './convolution.ts';
import { expand, gather, gatherElements, tile, topK } from './gather.ts';
import { gemm, matmul } from './matmul.ts';
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  rmsNormalization,
} from './normalization.ts';
import { averagePool, globalAveragePool, globalMaxPool, maxPool, resize, upsample } from './spatial.ts';
import { dequantizeLinear, quantizeLinear } from './quantize-linear.ts';
import { recurrent } from './recurrent.ts';
import { reductions, cumSum, trilu } from './reduce.ts';
import { pad, slice, split } from './slice.ts';
import { unary } from './unary.ts';

const ops: readonly OpSpec[] = [
  ...[conv, convTranspose, gemm, matmul],
  ...[add, sub, mul, div, pow, sumOfMany, meanOfMany, extremeOfMany, where],
  ...[relu, clip, leakyRelu, prelu, thresholdedRelu, sigmoid, hardSigmoid, hardSwish, softmax, logSoftmax],
  ...unary,
  recurrent,
  ...[maxPool, averagePool, globalAveragePool, globalMaxPool],
  ...[batchNormalization, layerNormalization, rmsNormalization, instanceNormalization, groupNormalization],
  ...reductions,
  ...[reshape, transpose, depthToSpace, spaceToDepth, concat, split, slice, pad, resize, upsample],
  ...[expand, tile, gather, gatherElements, topK],
  ...[cumSum, trilu, cast, dropout, quantizeLinear, dequantizeLinear],
];

const byType = new Map(ops.flatMap((spec) => spec.types.map((type) => [type, spec] as const)));

/** What qdq knows of this node's operator; undefined for unknown ones and for other domains. */
export function specOf(node: Node): OpSpec | undefined {
  return node.domain === '' ? byType.get(node.opType) : undefined;
}

/** Operator types that multiply weights, the reason to quantize a model. */
export const weightedTypes: ReadonlySet<string> = new Set(
  ops.filter((spec) => spec.weight !== undefined).flatMap((spec) => spec.types),
);

/** All operator types that have an int8 form, sorted. */
export const knownTypes: readonly string[] = typesWith((spec) => spec.quantize !== undefined);

/** All operator types that have a gradient, sorted. */
export const differentiableTypes: readonly string[] = typesWith((spec) => spec.gradient !== undefined);

function typesWith(property: (spec: OpSpec) => boolean): string[] {
  return ops
    .filter(property)
    .flatMap((spec) => spec.types)
    .sort();
}

/**
 * The interval that no result of the node ever leaves, as its rule says it: 0..1 of a Sigmoid or Softmax, -1..1 of a Tanh. Undefined where
 * the operator has no such limits, or qdq no int8 form that would say them.
 */
export function limitsOf(node: Node): Interval | undefined {
  const rule = specOf(node)?.quantize?.(node);
  if (typeof rule !== 'object') return undefined;
  const { output } = rule;
  return output.kind === 'fixed' ? output.range : output.kind === 'observe' ? output.within : undefined;
}

const random = /^(Random(Normal|Uniform)(Like)?|Multinomial|Bernoulli)$/;

/**
 * Whether the operator draws random numbers: its result differs from run to run, so that nothing of it may be folded, shared or taken to
 * be fixed. Dropout draws them in training alone, which each caller decides by itself.
 */
export function isRandom({ opType }: Node): boolean {
  return random.test(opType);
}
