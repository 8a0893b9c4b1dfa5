/** Plan + ranges → every scale and zero point of the model, before anything is written into the graph. */
import { quantizedErrors } from '../errors/quantized.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import { limitsOf } from '../quantizable/attention.ts';
import {
  activationScheme,
  quantizerKey,
  weightKey,
  type Operand,
  type QdqPlan,
  type TensorPlan,
} from '../quantizable/plan.ts';
import { fitScales, type BiasedLayer } from './bias.ts';
import { activationParams, representable, type QuantParams } from './quant-params.ts';
import { limitScale } from './requantize.ts';
import { weightScales, type WeightScales } from './weights.ts';

/** Every scale and zero point of a model. */
export interface Parameters {
  /** By quantizerKey: the tensor's own by its name, conversions by name and scheme. */
  readonly activations: ReadonlyMap<string, QuantParams>;
  /** By weight key. */
  readonly weights: ReadonlyMap<string, WeightScales>;
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
}

/**
 * Limits the parameters of a tensor to what the node that writes it computes.
 * @param scaleOf the scale of an operand of such a node, as far as it is known
 */
export function limiterOf(
  { regions }: Pick<QdqPlan, 'regions'>,
  scaleOf: (operand: Operand) => number | undefined,
): (tensor: string, params: QuantParams) => QuantParams {
  const producers = new Map(regions.flatMap((region) => region.outputs.map((output) => [output, region] as const)));
  return (tensor, params) => {
    const { op = '', activations = [] } = producers.get(tensor) ?? {};
    const scales = activations.map(scaleOf).filter((scale) => scale !== undefined);
    return limitScale(op, scales, params);
  };
}

/** Resolves the parameters of all tensors and weights of a plan. @throws QUANT_NO_RANGE, QUANT_BAD_RANGE */
export function resolveParameters(
  find: (name: string) => Value | undefined,
  plan: QdqPlan,
  ranges: ReadonlyMap<string, Interval>,
): Parameters {
  const constantOf = (name: string): Tensor => find(name)!.constant!;
  const activations = new Map<string, QuantParams>();
  const limited = limiterOf(plan, (operand) => activations.get(quantizerKey(operand))?.scale);
  const intervals = new Map<string, Interval>();
  for (const tensor of plan.tensors) {
    const { name, conversions = [] } = tensor;
    const { type, symmetric } = activationScheme(plan, tensor);
    if (tensor.source === 'share') {
      const from = quantizerKey({ tensor: tensor.with!, ...(tensor.withAs && { as: tensor.withAs }) });
      activations.set(name, activations.get(from)!);
      intervals.set(name, intervals.get(from)!);
    } else if (tensor.parameters) {
      activations.set(name, { type, ...tensor.parameters });
      intervals.set(name, representable({ type, ...tensor.parameters }, symmetric));
    } else {
      const range = rangeOf(tensor, plan, ranges, constantOf);
      activations.set(name, limited(name, activationParams(range, type, symmetric)));
      intervals.set(name, range);
    }
    for (const as of conversions) {
      const key = quantizerKey({ tensor: name, as });
      const range = ranges.get(key) ?? intervals.get(name)!;
      activations.set(key, activationParams(range, as.type, as.symmetric));
      intervals.set(key, range);
    }
  }
  const weights = new Map<string, WeightScales>();
  for (const weight of plan.weights) {
    const request = {
      type: plan.scheme.weightType,
      range: plan.scheme.weightRange,
      observer: plan.scheme.weightObserver,
      ...weight.as,
      axis: weight.axis,
      layout: weight.layout,
    };
    weights.set(weightKey(weight), weightScales(constantOf(weight.name), request));
  }
  const layers = new Map<string, BiasedLayer[]>();
  for (const { weight, bias, activations: inputs } of plan.regions) {
    if (!weight || !bias) continue;
    const inputScale = activations.get(quantizerKey(inputs[0]!))!.scale;
    const key = weightKey(weight);
    layers.set(key, [...(layers.get(key) ?? []), { bias: constantOf(bias.tensor), inputScale }]);
  }
  const repaired: { weight: string; channels: number }[] = [];
  for (const weight of plan.weights) {
    const { scales, silent } = weights.get(weightKey(weight))!;
    const { size } = fitScales(scales, silent, layers.get(weightKey(weight)) ?? []);
    if (size > 0) repaired.push({ weight: weight.name, channels: size });
  }
  return { activations, weights, repaired };
}

/** Finds the range of a planned tensor. @throws QUANT_NO_RANGE, QUANT_BAD_RANGE */
export function rangeOf(
  tensor: TensorPlan,
  plan: Pick<QdqPlan, 'tensors' | 'scheme'>,
  ranges: ReadonlyMap<string, Interval>,
  constantOf: (name: string) => Tensor,
): Interval {
  if (tensor.source === 'fixed') return tensor.range!;
  const range =
    tensor.source === 'constant'
      ? reached(tensor, extent(constantOf(tensor.name).floats()), plan, ranges, constantOf)
      : ranges.get(tensor.name);
  if (!range) throw quantizedErrors.noRange(tensor.name, ranges.keys());
  if (!Number.isFinite(range.min) || !Number.isFinite(range.max) || range.min > range.max) {
    throw quantizedErrors.badRange(tensor.name, range.min, range.max);
  }
  return range;
}

/** The range of a mask's content that matters to those who read it. */
function reached(
  { reach = [] }: TensorPlan,
  content: Interval,
  plan: Pick<QdqPlan, 'tensors' | 'scheme'>,
  ranges: ReadonlyMap<string, Interval>,
  constantOf: (name: string) => Tensor,
): Interval {
  const intervalOf = (name: string): Interval | undefined => {
    const tensor = plan.tensors.find((each) => each.name === name);
    if (tensor?.source === 'share') return intervalOf(tensor.with!);
    if (tensor?.source === 'constant') return extent(constantOf(name).floats());
    if (!tensor?.parameters) return tensor?.range ?? ranges.get(name);
    const { type, symmetric } = activationScheme(plan, tensor);
    return representable({ type, ...tensor.parameters }, symmetric);
  };
  const limits = reach.map((each) => {
    const result = intervalOf(each.result);
    const other = each.other === undefined ? result : intervalOf(each.other);
    return result && other ? limitsOf(each, result, other) : { min: -Infinity, max: Infinity };
  });
  if (limits.length === 0) return content;
  const within = { min: Math.min(...limits.map(({ min }) => min)), max: Math.max(...limits.map(({ max }) => max)) };
  return {
    min: Math.min(0, Math.max(content.min, within.min)),
    max: Math.max(0, Math.min(content.max, within.max)),
  };
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
