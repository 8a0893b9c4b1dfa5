/** Every operator qdq knows, by type. To add one: write its file and list it here. */
import type { Node } from '../graph/node.ts';
import { clip, hardSigmoid, hardSwish, leakyRelu, prelu, relu, sigmoid, thresholdedRelu } from './activation.ts';
import { cast, dropout } from './cast.ts';
import { concat } from './concat.ts';
import { convTranspose } from './conv-transpose.ts';
import { conv } from './conv.ts';
import { add, div, extremeOfMany, meanOfMany, mul, pow, sub, sumOfMany, where } from './elementwise.ts';
import { expand, gather, gatherElements, tile, topK } from './gather.ts';
import { gemm } from './gemm.ts';
import { matmul } from './matmul.ts';
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  rmsNormalization,
} from './normalization.ts';
import type { OpSpec } from './op.ts';
import { averagePool, globalAveragePool, globalMaxPool, maxPool } from './pool.ts';
import { dequantizeLinear, quantizeLinear } from './quantize-linear.ts';
import { recurrent } from './recurrent.ts';
import { reductions } from './reduce.ts';
import { depthToSpace, reshape, spaceToDepth, transpose } from './reshape.ts';
import { resize, upsample } from './resize.ts';
import { pad, slice, split } from './slice.ts';
import { logSoftmax, softmax } from './softmax.ts';
import { cumSum, trilu } from './triangle.ts';
import { unary } from './unary.ts';

export const ops: readonly OpSpec[] = [
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
