/** Plan + ranges → every scale and zero point of the model, before anything is written into the graph. */
import { quantizedErrors } from '../errors/quantized.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import { weightKey, type Plan, type TensorPlan } from '../quantizable/plan.ts';
import { repairOverflow } from './bias.ts';
import { activationParams, type QuantParams } from './params.ts';
import { weightScales, type WeightScales } from './weights.ts';

export interface Parameters {
  /** By tensor name. */
  readonly activations: ReadonlyMap<string, QuantParams>;
  /** By weight key. */
  readonly weights: ReadonlyMap<string, WeightScales>;
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
}

export function resolveParameters(
  find: (name: string) => Value | undefined,
  plan: Plan,
  ranges: ReadonlyMap<string, Interval>,
): Parameters {
  const constantOf = (name: string): Tensor => find(name)!.constant!;
  const activations = new Map<string, QuantParams>();
  for (const tensor of plan.tensors) {
    if (tensor.source === 'share') activations.set(tensor.name, activations.get(tensor.with!)!);
    else if (tensor.parameters)
      activations.set(tensor.name, { type: plan.scheme.activationType, ...tensor.parameters });
    else {
      const range = rangeOf(tensor, ranges, constantOf);
      activations.set(
        tensor.name,
        activationParams(range, plan.scheme.activationType, plan.scheme.activationSymmetric),
      );
    }
  }
  const weights = new Map<string, WeightScales>();
  for (const weight of plan.weights) {
    const request = {
      type: plan.scheme.weightType,
      range: plan.scheme.weightRange,
      axis: weight.axis,
      layout: weight.layout,
      observer: plan.scheme.weightObserver,
    };
    weights.set(weightKey(weight), weightScales(constantOf(weight.name), request));
  }
  const repaired: { weight: string; channels: number }[] = [];
  for (const { weight, bias, activations: inputs } of plan.regions) {
    if (!weight || !bias || plan.spelling.bias === 'float') continue;
    const { scales } = weights.get(weightKey(weight))!;
    const channels = repairOverflow(constantOf(bias.tensor), activations.get(inputs[0]!.tensor)!.scale, scales);
    if (channels.length > 0) repaired.push({ weight: weight.name, channels: channels.length });
  }
  return { activations, weights, repaired };
}

/** @throws QUANT_NO_RANGE, QUANT_BAD_RANGE */
export function rangeOf(
  tensor: TensorPlan,
  ranges: ReadonlyMap<string, Interval>,
  constantOf: (name: string) => Tensor,
): Interval {
  if (tensor.source === 'fixed') return tensor.range!;
  const range = tensor.source === 'constant' ? extent(constantOf(tensor.name).floats()) : ranges.get(tensor.name);
  if (!range) throw quantizedErrors.noRange(tensor.name, ranges.keys());
  if (!Number.isFinite(range.min) || !Number.isFinite(range.max) || range.min > range.max) {
    throw quantizedErrors.badRange(tensor.name, range.min, range.max);
  }
  return range;
}

function extent(values: Float32Array): Interval {
  let min = 0;
  let max = 0;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
