/** From flags and target to one scheme: which integer types, symmetric or not, per channel or not. */
import { targets } from '../backends/targets/index.ts';
import type { ActivationType, Scheme, Target, WeightType } from '../backends/targets/target.ts';
import { planErrors } from '../errors/quantizable.ts';

/** What a user may ask for; everything left out is the target's choice. */
export interface SchemeRequest {
  readonly activationType?: ActivationType | undefined;
  readonly weightType?: WeightType | undefined;
  readonly perTensor?: boolean | undefined;
  readonly symmetric?: boolean | undefined;
  readonly reduceRange?: boolean | undefined;
}

export function findTarget(name: string): Target {
  const target = targets.find((t) => t.name === name);
  if (!target)
    throw planErrors.unknownTarget(
      name,
      targets.map((t) => t.name),
    );
  return target;
}

/** @throws PLAN_TYPES for a pair of types that no kernel multiplies */
export function resolveScheme(target: Target, request: SchemeRequest): Scheme {
  const base = target.scheme;
  const activationType = request.activationType ?? base.activationType;
  const weightType = request.weightType ?? base.weightType;
  const perChannel = request.perTensor === undefined ? base.perChannel : !request.perTensor;
  if (activationType.startsWith('int') && weightType.startsWith('uint')) {
    throw planErrors.unsignedWeights(activationType, weightType);
  }
  return {
    activationType,
    activationSymmetric: request.symmetric ?? base.activationSymmetric,
    weightType,
    perChannel,
    weightRange: weightRange(request.reduceRange, base, activationType, weightType),
  };
}

/** The least default operator set whose QuantizeLinear and DequantizeLinear can say the scheme. */
export function leastOpset({ activationType, weightType, perChannel }: Scheme): number {
  if ([activationType, weightType].some((type) => type.endsWith('16'))) return 21;
  return perChannel ? 13 : 10;
}

/** "u8 activations, s8 weights per channel" */
export function describeScheme(scheme: Scheme): string {
  const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');
  const range = { full: '', reduced: ' in 7 bits', pairs: ' kept from saturating' }[scheme.weightRange];
  const symmetric = scheme.activationSymmetric ? ' symmetric' : '';
  const granularity = scheme.perChannel ? 'per channel' : 'per tensor';
  return `${short(scheme.activationType)}${symmetric} activations, ${short(scheme.weightType)} weights ${granularity}${range}`;
}

/** Only u8 × s8 products saturate; s8 activations and u8 weights go through exact kernels. */
function weightRange(
  reduceRange: boolean | undefined,
  base: Scheme,
  activationType: ActivationType,
  weightType: WeightType,
): Scheme['weightRange'] {
  if (reduceRange !== undefined) return reduceRange ? 'reduced' : 'full';
  return activationType === 'uint8' && weightType === 'int8' ? base.weightRange : 'full';
}
