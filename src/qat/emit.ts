/**
 * Plan + ranges → fake-quantized model: weights and biases stay float, and a QuantizeLinear/DequantizeLinear pair stands on
 * every tensor that the plan quantizes, weights included. It runs everywhere, trains, and `convert` only lowers it. Codes
 * narrower than their container are clamped between the two, as PyTorch exports them: Q → Clip → DQ on the codes. A tensor that a
 * narrow layer and a sum read is quantized twice, wide and from there narrow (widths.ts). The plan is that of `quantize`.
 */
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { sortNodes } from '../graph/walk.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import { weightKey, type QdqPlan, type RegionPlan, type TensorPlan } from '../quantizable/plan.ts';
import { fitScales } from '../quantized/bias.ts';
import { guardOf } from '../quantized/barrier.ts';
import { limiterOf, rangeOf } from '../quantized/resolve-parameters.ts';
import { activationParams, codes, type IntegerType, type QuantParams } from '../quantized/quant-params.ts';
import { emitActivation, type Reader } from '../quantized/qdq.ts';
import { mse, channelGroups, silentGroups } from '../quantized/weight-observers.ts';
import {
  activationBits,
  type TensorBits,
  activationLimits,
  containerBits,
  regionWidths,
  weightLimits,
  type Widths,
} from './widths.ts';
import { clampCodes } from './fake-quant.ts';

/** Calibrated ranges of all observed tensors, for quantizers of that many bits. */
export type RangesAt = (bits: number) => ReadonlyMap<string, Interval>;

/** Writes the fake-quantized model; the given one is left as it is. @throws QUANT_NO_RANGE, QUANT_BAD_RANGE when an observed tensor has no usable range */
export function emitFakeQuant(source: Model, plan: QdqPlan, widths: Widths, rangesAt: RangesAt): Model {
  const model = copyModel(source);
  const find = valueFinder(model);
  const layers = regionWidths(model, plan, widths);
  const guardFloat = guardOf(model, plan);
  const nodeOf = new Map(plan.regions.map((region) => [region, find(region.tensor)!.producer!]));

  const bits = activationBits(plan, find, layers);
  const params = paramsFinder(plan, find, bits, rangesAt);
  const scales = weightScales(plan, find, layers, (region) => {
    const tensor = plan.tensors.find(({ name }) => name === region.activations[0]!.tensor)!;
    return params(tensor, Math.min(bits.get(tensor.name)!.own, layers.get(region)!.activation)).scale;
  });
  const weightIn = weightWriter(plan, find, scales);
  for (const [region, { weight }] of layers) {
    const node = nodeOf.get(region)!;
    node.setInput(region.weight!.input, weightIn(region, node.graph!, weight));
  }

  const written = new Map<QuantParams, [Value, Value]>();
  for (const tensor of plan.tensors) {
    const value = find(tensor.name)!;
    const readers = plan.regions.flatMap((region) =>
      region.activations
        .filter((operand) => operand.tensor === tensor.name)
        .map(({ input }) => ({ region, node: nodeOf.get(region)!, input })),
    );
    const { own, narrower } = bits.get(tensor.name)!;
    quantizeValue(value, tensor.int8Producer, params(tensor, own), own, plan, readers, written);
    for (const [width, regions] of narrower) {
      const wanting = readers.filter(({ region }) => regions.has(region));
      const again = params(tensor, width);
      for (const [dequantized, some] of byValue(wanting))
        quantizeValue(dequantized, false, again, width, plan, some, written);
    }
  }
  // What is left float is guarded here, since the int8 model that comes of this one knows no plan.
  guardFloat(nodeOf.values());
  sortNodes(model.graph);
  return model;
}

/** Puts a quantizer of some bits on a tensor, for these readers. */
function quantizeValue(
  value: Value,
  int8Producer: boolean,
  params: QuantParams,
  bits: number,
  { scheme }: QdqPlan,
  readers: readonly Reader[],
  written: Map<QuantParams, [Value, Value]>,
): void {
  const [quantize] = emitActivation(value, int8Producer, params, readers, written, 'share');
  if (bits >= containerBits(params.type)) return;
  clampCodes(quantize!, params.type, activationLimits(params.type, scheme.activationSymmetric, bits));
}

/** Groups readers by what they read: in each graph, that graph's DequantizeLinear. */
function byValue(readers: readonly Reader[]): Map<Value, Reader[]> {
  const groups = new Map<Value, Reader[]>();
  for (const reader of readers) {
    const value = reader.node.input(reader.input)!;
    groups.set(value, [...(groups.get(value) ?? []), reader]);
  }
  return groups;
}

/** Finds scale and zero point by tensor and width. Tensors that share a range get one object, and thereby one scale in the graph. */
function paramsFinder(
  plan: QdqPlan,
  find: (name: string) => Value | undefined,
  bits: ReadonlyMap<string, TensorBits>,
  rangesAt: RangesAt,
): (tensor: TensorPlan, width: number) => QuantParams {
  const { activationType: type, activationSymmetric: symmetric } = plan.scheme;
  const made = new Map<string, QuantParams>();
  const planned = new Map(plan.tensors.map((each) => [each.name, each]));
  const limited = limiterOf(plan, ({ tensor }) => paramsOf(planned.get(tensor)!, bits.get(tensor)!.own).scale);
  const paramsOf = (tensor: TensorPlan, width: number): QuantParams => {
    const { root } = bits.get(tensor.name)!;
    const key = `${width} ${root.name}`;
    let params = made.get(key);
    if (!params) {
      const range = rangeOf(root, plan, rangesAt(width), (name) => find(name)!.constant!);
      params = limited(root.name, activationParams(range, type, symmetric, activationLimits(type, symmetric, width)));
      made.set(key, params);
    }
    return params;
  };
  return paramsOf;
}

const widthKey = ({ weight }: RegionPlan, bits: number): string => `${bits} ${weightKey(weight!)}`;

/** Searches the scales of weights, fitted to the biases of all layers that read the weight in that many bits: what is trained is what will run. */
function weightScales(
  plan: QdqPlan,
  find: (name: string) => Value | undefined,
  layers: ReadonlyMap<RegionPlan, { readonly weight: number }>,
  inputScale: (region: RegionPlan) => number,
): ReadonlyMap<string, Float32Array> {
  const readers = new Map<string, RegionPlan[]>();
  for (const [region, { weight }] of layers) {
    const key = widthKey(region, weight);
    readers.set(key, [...(readers.get(key) ?? []), region]);
  }
  return new Map(
    [...readers].map(([key, regions]) => {
      const { weight } = regions[0]!;
      const { top } = weightLimits(plan.scheme.weightType, layers.get(regions[0]!)!.weight);
      const constant = find(weight!.name)!.constant!;
      const values = constant.floats();
      const groups = channelGroups(constant.dims, weight!.axis);
      const scales = mse.scales(values, groups, top);
      const biased = regions.flatMap((region) => {
        const bias = region.bias && find(region.bias.tensor)!.constant!;
        return bias ? [{ bias, inputScale: inputScale(region) }] : [];
      });
      fitScales(scales, silentGroups(values, groups, top), biased);
      return [key, scales];
    }),
  );
}

/** Writes the quantizer of a weight once for each graph and width that reads it. */
function weightWriter(
  plan: QdqPlan,
  find: (name: string) => Value | undefined,
  scales: ReadonlyMap<string, Float32Array>,
): (region: RegionPlan, graph: Graph, bits: number) => Value {
  const type = plan.scheme.weightType;
  const written = new Map<Graph, Map<string, Value>>();
  const parameters = new Map<string, [Value, Value]>();
  return (region, graph, bits) => {
    const { weight } = region;
    const key = widthKey(region, bits);
    const here = written.get(graph) ?? written.set(graph, new Map()).get(graph)!;
    const ready = here.get(key);
    if (ready) return ready;
    const value = find(weight!.name)!;
    const limits = weightLimits(type, bits);
    let pair = parameters.get(key);
    if (!pair) {
      pair = placeWeightParameters(value, scales.get(key)!, type, limits.zeroPoint, weight!.axis);
      parameters.set(key, pair);
    }
    const quantize = pairOn(graph, value, pair, type, weight!.axis);
    // All of an 8-bit container is free: other tools know no narrower range there.
    if (bits < containerBits(type)) clampCodes(quantize.node, type, limits);
    here.set(key, quantize.output);
    return quantize.output;
  };
}

function placeWeightParameters(
  { name, graph }: Value,
  scales: Float32Array,
  type: IntegerType,
  zeroPoint: number,
  axis: number | undefined,
): [Value, Value] {
  const dims = axis === undefined ? [] : [scales.length];
  const zeros = codes(type, scales.length).fill(zeroPoint);
  return [
    graph.addInitializer(Tensor.of(`${name}_scale`, 'float32', dims, scales)),
    graph.addInitializer(Tensor.of(`${name}_zero_point`, type, dims, zeros)),
  ];
}

/** Appends QuantizeLinear, limits on the codes where they are narrower, and DequantizeLinear. */
function pairOn(
  graph: Graph,
  value: Value,
  [scale, zeroPoint]: [Value, Value],
  type: IntegerType,
  axis: number | undefined,
): { node: Node; output: Value } {
  const [quantize, dequantize] = (['QuantizeLinear', 'DequantizeLinear'] as const).map((op) => {
    const node = graph.makeNode(op, [null, scale, zeroPoint], { outputs: [`${value.name}_${op}_Output`] });
    node.name = node.output()!.name.replace(/_Output(?=(_\d+)?$)/, '');
    if (axis !== undefined) node.setInt('axis', axis);
    return node;
  }) as [Node, Node];
  quantize.setInput(0, value);
  dequantize.setInput(0, quantize.output()!);
  graph.prepend(dequantize);
  graph.insertBefore(quantize, dequantize);
  quantize.output()!.setType(dataType(type).code, value.dims);
  dequantize.output()!.setType(dataType('float32').code, value.dims);
  return { node: quantize, output: dequantize.output()! };
}
