/**
 * Operators that stay float by decision: no runtime on CPU has an integer kernel for them, and conversions around a float kernel
 * cost time and accuracy and win nothing. What `qdq explain` says of them.
 */
import type { Node } from '../graph/node.ts';
import { own } from '../graph/names.ts';
import { recurrent, whyRecurrentStaysFloat } from './recurrent.ts';

const noKernel = 'onnxruntime has no int8 kernel of it';
const normalization = `${noKernel}, and a mean and a variance need more than 8 bits`;

const reasons: Readonly<Record<string, string>> = {
  LayerNormalization: normalization,
  InstanceNormalization: normalization,
  GroupNormalization: normalization,
  BatchNormalization: `${noKernel}, and nothing stands before it that it could be folded into`,
  LpNormalization: normalization,
  RMSNormalization: normalization,
  Gelu: `${noKernel}; between products that can write float, quantizing it would win nothing`,
  Erf: `${noKernel}; fusion makes a Gelu of the usual pattern around it`,
  Einsum: 'it is no product of two matrices, of which fusion makes a MatMul',
  'com.microsoft.Attention': 'Attention has an int8 kernel in dynamic form only: --format dynamic',
  'com.microsoft.MultiHeadAttention': `${noKernel}; the products that feed it are quantized by themselves`,
  'com.microsoft.GroupQueryAttention': `${noKernel}; the products that feed it are quantized by themselves`,
  'com.microsoft.SkipLayerNormalization': normalization,
  'com.microsoft.EmbedLayerNormalization': normalization,
};

/** Why this operator stays float, or undefined when nothing was decided about it. */
export function floatReason(node: Node): string | undefined {
  if (node.domain === '' && recurrent.types.includes(node.opType)) return whyRecurrentStaysFloat(node);
  return own(reasons, node.domain === '' ? node.opType : `${node.domain}.${node.opType}`);
}

/** Whether the operator computes a mean and a variance of what it reads. */
export function isNormalization(node: Node): boolean {
  return floatReason(node) === normalization;
}
