/**
 * Operators on codes (QLinearConv, QLinearMatMul, QGemm, QLinearAdd, ...): what onnxruntime makes of a QDQ model, written down.
 * For runtimes that do not fuse QDQ, and for sessions that must open fast.
 */
import { formatErrors } from '../../errors/quantized.ts';
import type { QdqPlan } from '../../quantizable/plan.ts';
import { planQuantization } from '../../quantizable/planner.ts';
import { planRanged } from '../../quantizable/ranged.ts';
import { describeScheme, leastOpset } from '../../quantizable/scheme.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitQdq } from '../qdq.ts';
import { lowerToQOperators } from './lower.ts';

/** Clip and MaxPool on codes. */
const codesOpset = 12;

export const qoperator: Format = {
  name: 'qoperator',
  summary: 'operators on codes: QLinearConv, QLinearMatMul, QGemm, QLinearAdd, ...',
  perNode: true,
  configure(scheme): ConfiguredFormat<QdqPlan> {
    for (const type of [scheme.activationType, scheme.weightType]) {
      if (!type.endsWith('int8')) throw formatErrors.eightBits('qoperator', type);
    }
    return {
      format: 'qoperator',
      description: `QOperator, ${describeScheme(scheme)}`,
      settings: {},
      static: true,
      leastOpset: Math.max(codesOpset, leastOpset(scheme)),
      plan: planQuantization,
      refine: planRanged,
      emit(model, plan, ranges) {
        const quantized = emitQdq(model, plan, ranges);
        lowerToQOperators(quantized.model);
        return quantized;
      },
    };
  },
};
