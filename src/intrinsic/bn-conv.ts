/**
 * BatchNormalization in front of Conv, ConvTranspose, Gemm or MatMul (pre-activation without the activation) is folded
 * into the weight per input channel, and its shift into the bias where neither padding nor a border stands in the way.
 */
import type { Node } from '../graph/node.ts';
import { affineOfBatchNorm, batchNormOf } from './batch-norm.ts';
import { handOver } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { foldBefore, foldForward, isLinear, layerOf, notMatrix } from './layer.ts';
import type { Pass } from './pass.ts';

export const bnConv: Pass = {
  name: 'bn-conv',
  summary: 'BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul behind it where that is exact',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('BatchNormalization')) continue;
      const into = (readers: readonly Node[]): string | undefined => fold(node, readers, model.opset, facts);
      if (handOver(node, isLinear, into, context)) changed = true;
    }
    return changed;
  },
};

/** Folds into every reader, or returns the reason why one of them cannot take it, having changed nothing. */
function fold(bn: Node, readers: readonly Node[], opset: number, facts: Facts): string | undefined {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = affineOfBatchNorm(norm);
  const channels = norm.gain.length;
  return foldForward(bn, readers, (reader) => {
    const layer = layerOf(reader, opset, facts);
    if (typeof layer === 'string') return layer;
    if (layer.inputs !== channels) return `it has ${channels} channels, '${reader.label}' reads ${layer.inputs}`;
    // Axis 1, which BatchNormalization takes for the channels, is the last one only in a matrix.
    return notMatrix(layer) ?? foldBefore(layer, map);
  });
}
