/** Flags and target → one scheme: which integer types, symmetric or not, per channel or not. */
import { targets } from '../backends/targets/index.ts';
import type { ActivationType, Scheme, Target, TargetFormat, WeightType } from '../backends/targets/target.ts';
import { findNamed } from '../errors/qdq-error.ts';
import { planErrors } from '../errors/quantizable.ts';
import type { Node } from '../graph/node.ts';
import type { ActivationScheme, WeightScheme } from './plan.ts';

/** What a user may ask for; everything left out is the target's choice. */
export interface SchemeRequest {
  readonly activationType?: ActivationType | undefined;
  readonly weightType?: WeightType | undefined;
  readonly perTensor?: boolean | undefined;
  readonly symmetric?: boolean | undefined;
  readonly reduceRange?: boolean | undefined;
  readonly weightObserver?: string | undefined;
}

/** Finds a target by its name. @throws PLAN_TARGET */
export function findTarget(name: string): Target {
  return findNamed(targets, name, (target) => target.name, planErrors.unknownTarget);
}

/**
 * Resolves what the user asked for against the target's defaults.
 * @throws PLAN_TYPES for a pair of types that no kernel multiplies, PLAN_TARGET_TYPES, PLAN_TARGET_SYMMETRY and
 * PLAN_TARGET_CHANNELS for what the target does not take
 */
export function resolveScheme(target: Target, request: SchemeRequest): Scheme {
  const base = target.scheme;
  const activationType = request.activationType ?? base.activationType;
  const weightType = request.weightType ?? base.weightType;
  const perChannel = request.perTensor === undefined ? base.perChannel : !request.perTensor;
  const activationSymmetric = request.symmetric ?? base.activationSymmetric;
  const { activationTypes, weightTypes, perChannelTypes } = target;
  // A target without integers has no default to check: the formats that it runs do not look at the scheme.
  const integers =
    activationTypes.length > 0 || request.activationType !== undefined || request.weightType !== undefined;
  if (integers && !activationTypes.includes(activationType))
    throw planErrors.targetTypes(target, 'activation', activationType, activationTypes);
  if (integers && !weightTypes.includes(weightType))
    throw planErrors.targetTypes(target, 'weight', weightType, weightTypes);
  if (target.symmetricActivations && !activationSymmetric) throw planErrors.targetSymmetry(target.name);
  if (perChannel && request.perTensor === false && !perChannelTypes.includes(weightType))
    throw planErrors.targetChannels(target.name, weightType, perChannelTypes);
  if (activationType.startsWith('int') && weightType.startsWith('uint')) {
    throw planErrors.unsignedWeights(activationType, weightType);
  }
  const weightObserver = request.weightObserver ?? base.weightObserver;
  return {
    activationType,
    activationSymmetric,
    weightType,
    perChannel: perChannel && perChannelTypes.includes(weightType),
    weightRange: weightRange(request.reduceRange, base, activationType, weightType),
    ...(weightObserver === undefined ? {} : { weightObserver }),
  };
}

/** Checks that the target runs the format. @throws PLAN_TARGET_FORMAT */
export function checkFormat(target: Target, format: TargetFormat): void {
  if (!target.formats.includes(format)) throw planErrors.targetFormat(target, format);
}

/** The least default operator set whose QuantizeLinear and DequantizeLinear can say the scheme, and that the target reads. */
export function leastOpset({ activationType, weightType, perChannel }: Scheme, target?: Target): number {
  const wide = [activationType, weightType].some((type) => !type.endsWith('int8'));
  return Math.max(wide ? 21 : perChannel ? 13 : 10, target?.opset.least ?? 0);
}

/** Describes the scheme: "u8 activations, s8 weights per channel". */
export function describeScheme(scheme: Scheme): string {
  const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');
  const range = { full: '', reduced: ' in 7 bits', pairs: ' kept from saturating' }[scheme.weightRange];
  const symmetric = scheme.activationSymmetric ? ' symmetric' : '';
  const granularity = scheme.perChannel ? 'per channel' : 'per tensor';
  const search = scheme.weightObserver === undefined ? '' : ` by ${scheme.weightObserver}`;
  return `${short(scheme.activationType)}${symmetric} activations, ${short(scheme.weightType)} weights ${granularity}${range}${search}`;
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

/** What a scheme says of activations. */
export const activationsOf = ({ activationType: type, activationSymmetric: symmetric }: Scheme): ActivationScheme => ({
  type,
  symmetric,
});

/** Whether two tensors are quantized alike. */
export const sameActivations = (a: ActivationScheme, b: ActivationScheme): boolean =>
  a.type === b.type && a.symmetric === b.symmetric;

/** How a plan says the scheme of an activation: nothing where it is that of the plan. */
export function ownActivations(own: ActivationScheme, scheme: Scheme): { as?: ActivationScheme } {
  return sameActivations(own, activationsOf(scheme)) ? {} : { as: own };
}

/** How a plan says the scheme of a weight: nothing where it is that of the plan. */
export function ownWeights(
  { weightType: type, weightRange: range, weightObserver: observer }: Scheme,
  scheme: Scheme,
): { as?: WeightScheme } {
  if (type === scheme.weightType && range === scheme.weightRange && observer === scheme.weightObserver) return {};
  return { as: { type, range, ...(observer === undefined ? {} : { observer }) } };
}

/** Whether the weights of this node may have one scale per channel. */
export function takesChannels({ perChannel, perChannelTypes }: Target, scheme: Scheme, { opType }: Node): boolean {
  return scheme.perChannel && perChannelTypes.includes(scheme.weightType) && (perChannel?.includes(opType) ?? true);
}
