/**
 * Weight-only quantization: weights in blocks of 2, 4 or 8 bits, activations in float: com.microsoft MatMulNBits and GatherBlockQuantized. For large
 * language models and whatever is bound by reading its weights. Needs no samples. To add an operator: write its rule in rules.ts and
 * list it here.
 */
import type { NodePlan } from '../../quantizable/plan.ts';
import { emitNodes, planNodes, type NodeRule } from '../node-rules.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { conv, gather, gemm, matmul } from './rules.ts';
import { blockSettings, type BlockSettings } from './blocks.ts';

const rules: readonly NodeRule<BlockSettings>[] = [matmul, gemm, gather, conv];

export const weightOnly: Format = {
  name: 'weight-only',
  summary: 'weights in blocks of 2, 4 or 8 bits, activations in float (MatMulNBits)',
  mixes: { order: 0, observes: false },
  configure(_scheme, flags): ConfiguredFormat<NodePlan> {
    const settings = blockSettings(flags);
    const { bits, blockSize, table, symmetric, method, accuracyLevel } = settings;
    return {
      format: 'weight-only',
      description: `weight-only, ${bits} bits in ${symmetric ? 'symmetric ' : ''}blocks of ${blockSize} (${method})`,
      settings: { bits, blockSize, embeddingBits: table.bits, symmetric, method, accuracyLevel },
      // DequantizeLinear with an axis, for Conv; the block operators are of another domain.
      leastOpset: 13,
      keepsHalf: true,
      keepsTied: true,
      plan: (model, request) => planNodes(model, request, rules, settings, 'weight-only'),
      refine: (_model, _request, plan) => plan,
      emit: (model, plan) => emitNodes(model, plan, rules, settings),
    };
  },
};
