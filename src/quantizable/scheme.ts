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

/** @param opset default operator set of the model that will carry the result */
export function resolveScheme(target: Target, request: SchemeRequest, opset: number): Scheme {
  const base = target.scheme;
  const activationType = request.activationType ?? base.activationType;
  const weightType = request.weightType ?? base.weightType;
  const perChannel = request.perTensor === undefined ? base.perChannel : !request.perTensor;
  if (activationType.startsWith('int') && weightType.startsWith('uint')) {
    throw planErrors.unsignedWeights(activationType, weightType);
  }
  for (const type of [activationType, weightType])
    if (type.endsWith('16') && opset < 21) throw planErrors.wideTypes(type, opset);
  if (opset < 10) throw planErrors.opset(opset, perChannel ? 13 : 10, 'QuantizeLinear');
  if (perChannel && opset < 13) throw planErrors.opset(opset, 13, 'per-channel quantization');
  return {
    activationType,
    activationSymmetric: request.symmetric ?? base.activationSymmetric,
    weightType,
    perChannel,
    weightRange: weightRange(request.reduceRange, base, activationType, weightType),
  };
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
