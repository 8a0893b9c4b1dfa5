/** QuantizeLinear and DequantizeLinear around float operators, which every runtime can read and onnxruntime fuses: the default. */
import { describeScheme, leastOpset } from '../../quantizable/scheme.ts';
import type { QdqPlan } from '../../quantizable/plan.ts';
import { planQuantization } from '../../quantizable/planner.ts';
import { planRanged } from '../../quantizable/ranged.ts';
import { withHalfRest } from '../float16/rest.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitQdq } from '../qdq.ts';

export const qdq: Format = {
  name: 'qdq',
  summary: 'QuantizeLinear and DequantizeLinear around float operators, fused by the runtime',
  perNode: true,
  mixes: { order: 1, observes: true },
  configure(scheme, { recurrent, floatType }) {
    const configured: ConfiguredFormat<QdqPlan> = {
      format: 'qdq',
      description: `QDQ, ${describeScheme(scheme)}`,
      settings: recurrent === undefined ? {} : { recurrent },
      static: true,
      leastOpset: leastOpset(scheme),
      plan: planQuantization,
      refine: planRanged,
      emit: emitQdq,
    };
    return floatType === 'float16' ? withHalfRest(configured, scheme) : configured;
  },
};
