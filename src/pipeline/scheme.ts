/** Between the words of the command line and the planner's: schemes, formats and plans. */
import { cpuInfo } from '../backends/cpu.ts';
import { targetOf } from '../backends/targets/index.ts';
import type { Target } from '../backends/targets/target.ts';
import { formatErrors } from '../errors/quantized.ts';
import type { CalibrationState } from '../calibrate/state.ts';
import type { ActivationType, SchemeFlags, WeightType } from '../settings/options.ts';
import type { PlanSummary } from './results.ts';
import { toFloatNode, type Plan } from '../quantizable/plan.ts';
import { findTarget, type SchemeRequest } from '../quantizable/scheme.ts';
import type { FormatFlags } from '../quantized/format.ts';
import { formatSettings } from '../settings/settings.ts';

/** The target of that name, or this machine's. @throws PLAN_TARGET */
export function chosenTarget(name: string | undefined): Target {
  return name === undefined ? targetOf(cpuInfo()) : findTarget(name);
}

/** Whether a model for this target is judged in exact arithmetic, because int8 products of this CPU saturate and the target's do not. */
export function judgedExactly({ exactProducts }: Target): boolean {
  return exactProducts && !targetOf(cpuInfo()).exactProducts;
}

const activationTypes = { u8: 'uint8', s8: 'int8', u16: 'uint16', s16: 'int16' } as const satisfies Record<
  ActivationType,
  string
>;
const weightTypes = { s8: 'int8', u8: 'uint8', s4: 'int4', u4: 'uint4' } as const satisfies Record<
  Exclude<WeightType, 'f8'>,
  string
>;

export function schemeRequest(
  flags: Pick<
    SchemeFlags,
    'activationType' | 'weightType' | 'perTensor' | 'symmetric' | 'reduceRange' | 'weightObserver'
  >,
): SchemeRequest {
  return {
    activationType: flags.activationType && activationTypes[flags.activationType],
    weightType: flags.weightType && weightTypes[notFloat8(flags.weightType)],
    perTensor: flags.perTensor,
    symmetric: flags.symmetric,
    reduceRange: flags.reduceRange,
    weightObserver: flags.weightObserver,
  };
}

/** onnxruntime on CPU has no product of 8-bit floats: the type is known, so that the error can say so. */
function notFloat8(type: WeightType): Exclude<WeightType, 'f8'> {
  if (type === 'f8') throw formatErrors.float8();
  return type;
}

/** The flags of which some formats read some. */
export function formatFlags(flags: SchemeFlags): FormatFlags {
  return Object.fromEntries(formatSettings.map((name) => [name, flags[name]]));
}

/** "minmax over 100 samples" */
export function describeCalibration(state: CalibrationState | undefined): string {
  if (!state) return 'none';
  const { observer, samples, format } = state;
  return samples === 0 ? `a table of ${format}` : `${observer} over ${samples} samples`;
}

/** @param description of the form: its scheme in words */
export function summarizePlan(plan: Plan, description: string): PlanSummary {
  return {
    quantizedNodes: plan.regions.reduce((sum, region) => sum + 1 + region.clamps.length, 0),
    floatNodes: plan.float.length,
    leftFloat: plan.float.map(toFloatNode),
    scheme: description,
  };
}
