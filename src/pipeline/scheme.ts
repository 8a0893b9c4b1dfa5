/** Between the words of the command line and the planner's: schemes and plans. */
import type { Scheme } from '../backends/targets/target.ts';
import type { CalibrationState } from '../calibrate/state.ts';
import type { ActivationType, PlanSummary, SchemeFlags, WeightType } from '../pipeline-types.ts';
import type { Plan } from '../quantizable/plan.ts';
import type { SchemeRequest } from '../quantizable/scheme.ts';

const activationTypes = { u8: 'uint8', s8: 'int8', u16: 'uint16', s16: 'int16' } as const satisfies Record<
  ActivationType,
  string
>;
const weightTypes = { s8: 'int8', u8: 'uint8' } as const satisfies Record<WeightType, string>;

export function schemeRequest(
  flags: Pick<SchemeFlags, 'activationType' | 'weightType' | 'perTensor' | 'symmetric' | 'reduceRange'>,
): SchemeRequest {
  return {
    activationType: flags.activationType && activationTypes[flags.activationType],
    weightType: flags.weightType && weightTypes[flags.weightType],
    perTensor: flags.perTensor,
    symmetric: flags.symmetric,
    reduceRange: flags.reduceRange,
  };
}

/** "QDQ, u8 activations, s8 weights per channel" */
export function describeScheme(scheme: Scheme): string {
  const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');
  const range = { full: '', reduced: ' in 7 bits', pairs: ' kept from saturating' }[scheme.weightRange];
  const symmetric = scheme.activationSymmetric ? ' symmetric' : '';
  const granularity = scheme.perChannel ? 'per channel' : 'per tensor';
  return `QDQ, ${short(scheme.activationType)}${symmetric} activations, ${short(scheme.weightType)} weights ${granularity}${range}`;
}

/** "minmax over 100 samples" */
export function describeCalibration({ observer, samples, format }: CalibrationState): string {
  return samples === 0 ? `a table of ${format}` : `${observer} over ${samples} samples`;
}

export function summarizePlan(plan: Plan): PlanSummary {
  return {
    quantizedNodes: plan.regions.reduce((sum, region) => sum + 1 + region.clamps.length, 0),
    floatNodes: plan.float.length,
    leftFloat: plan.float,
    scheme: describeScheme(plan.scheme),
  };
}
