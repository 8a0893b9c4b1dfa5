/** Every operator qdq knows, by type. To add one: write its file and list it here. */
import type { Node } from '../graph/node.ts';
import { clip, hardActivation, leakyRelu, relu, unitInterval } from './activation.ts';
import { concat } from './concat.ts';
import { conv } from './conv.ts';
import { difference, elementwise, where } from './elementwise.ts';
import { gemm } from './gemm.ts';
import { gather, layout, pad, resize } from './layout.ts';
import { matmul } from './matmul.ts';
import type { OpSpec } from './op.ts';
import { average, maxPool } from './pool.ts';

export const ops: readonly OpSpec[] = [
  conv,
  gemm,
  matmul,
  elementwise,
  difference,
  where,
  concat,
  relu,
  clip,
  leakyRelu,
  unitInterval,
  hardActivation,
  maxPool,
  average,
  layout,
  gather,
  pad,
  resize,
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
export const knownTypes: readonly string[] = [...byType.keys()].sort();
