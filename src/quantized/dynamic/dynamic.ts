/**
 * Weights in int8, activations quantized as they come: no samples are needed, and every product adapts to its input. For
 * transformers and recurrent nets; a CNN runs faster in QDQ.
 */
import { formatErrors } from '../../errors/quantized.ts';
import type { NodePlan } from '../../quantizable/plan.ts';
import { describeScheme } from '../../quantizable/scheme.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitNodes, planNodes, type NodeRule } from '../node-rules.ts';
import { attention } from './attention.ts';
import type { DynamicSettings } from './chain.ts';
import { conv } from './conv.ts';
import { gather } from './gather.ts';
import { lstm } from './lstm.ts';
import { gemm, matmul } from './matmul.ts';
import { withoutGuardedNaN } from './nan.ts';
import { recurrent } from './recurrent.ts';
import { noTies, tiesIn } from './tied.ts';

const rules: readonly NodeRule<DynamicSettings>[] = [matmul, gemm, lstm, recurrent, attention, gather, conv];

export const dynamic: Format = {
  name: 'dynamic',
  summary: 'weights in int8, activations quantized at run time (MatMulInteger, DynamicQuantizeLSTM)',
  mixes: { order: 0, observes: false },
  configure(scheme): ConfiguredFormat<NodePlan> {
    if (!scheme.weightType.endsWith('int8')) throw formatErrors.eightBits('dynamic', scheme.weightType);
    // DynamicQuantizeLinear knows u8 only.
    const own = { ...scheme, activationType: 'uint8', activationSymmetric: false } as const;
    const settings: DynamicSettings = { scheme: own, ties: noTies };
    return {
      format: 'dynamic',
      description: `dynamic, ${describeScheme(settings.scheme)}`,
      settings: {},
      // DequantizeLinear with an axis.
      leastOpset: 13,
      plan: (model, request) => planNodes(model, { ...request, scheme: own }, rules, settings, 'dynamic'),
      refine: (_model, _request, plan) => plan,
      emit: (model, plan) =>
        emitNodes(withoutGuardedNaN(model, plan), plan, rules, { ...settings, ties: tiesIn(model, plan, settings) }),
    };
  },
};
