/**
 * BatchNormalization behind Conv, ConvTranspose, Gemm or MatMul is folded into weight and bias: W' = W · gain and b' =
 * (b - mean) · gain + beta per output channel, in float64, rounded once. The node keeps its name and takes over the
 * output of the BatchNormalization.
 */
import type { Node } from '../graph/node.ts';
import { affineOfBatchNorm, batchNormOf } from './batch-norm.ts';
import { absorb, neededElsewhere } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { applyFold, foldBehind, layerOf, notMatrix } from './layer.ts';
import type { Pass } from './pass.ts';

export const convBn: Pass = {
  name: 'conv-bn',
  summary: 'BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul before it',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('BatchNormalization')) continue;
      const label = node.label;
      const host = node.input(0)?.producer;
      const hostLabel = host?.label ?? '';
      const reason = fold(node, host, model.opset, facts);
      if (reason === undefined) context.applied([hostLabel, label], hostLabel);
      else context.refused(label, reason);
      changed ||= reason === undefined;
    }
    return changed;
  },
};

/** Folds, or returns the reason why not, having changed nothing. */
function fold(bn: Node, host: Node | undefined, opset: number, facts: Facts): string | undefined {
  const x = bn.input(0);
  if (!x || !host) return 'its input is not the result of a convolution or linear layer';
  if (!host.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return `its input comes from ${host.opType} '${host.label}'`;
  const needed = neededElsewhere(host, bn);
  if (needed !== undefined) return needed;
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  // Axis 1, which BatchNormalization takes for the channels, is the last one only in a matrix.
  const broad = notMatrix(layer);
  if (broad !== undefined) return broad;
  const { outputs } = layer;
  if (outputs !== norm.gain.length) return `it has ${norm.gain.length} channels, '${host.label}' has ${outputs}`;
  const folded = foldBehind(layer, affineOfBatchNorm(norm));
  if (typeof folded === 'string') return folded;
  applyFold(folded);
  absorb(host, bn);
  return undefined;
}
