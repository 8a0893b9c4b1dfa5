/**
 * Plan + ranges → QDQ model: QuantizeLinear and DequantizeLinear on the edges of every int8 region, codes for weights and
 * biases. Names follow onnxruntime.quantization (X_quantized, X_scale, X_zero_point, X_QuantizeLinear_Output, ...), which
 * other tools know.
 */
import { modelFromProto } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { bypass, forward } from '../graph/rewrite.ts';
import { modelToProto } from '../graph/to-proto.ts';
import type { Value } from '../graph/value.ts';
import { removeDead, sortNodes } from '../graph/walk.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { specOf } from '../ops/index.ts';
import type { Interval } from '../ops/op.ts';
import { weightKey, type Plan, type RegionPlan, type TensorPlan } from '../quantizable/plan.ts';
import { quantizeBias } from './bias.ts';
import { codes, quantizeTensor, representable, type QuantParams } from './params.ts';
import { resolveParameters, type Parameters } from './parameters.ts';
import { quantizeWeights } from './weights.ts';

export interface Quantized {
  readonly model: Model;
  /** Scale and zero point by activation tensor. */
  readonly activations: ReadonlyMap<string, QuantParams>;
  /** Weights whose scale was enlarged so that a bias fits int32, with the number of channels. */
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
}

/** The given model is left as it is. Throws when an observed tensor has no usable range. */
export function emitQdq(source: Model, plan: Plan, ranges: ReadonlyMap<string, Interval>): Quantized {
  const model = modelFromProto(modelToProto(source), source.dir);
  const { graph } = model;
  const parameters = resolveParameters(model, plan, ranges);
  const nodeOf = new Map(plan.regions.map((region) => [region, graph.values.get(region.tensor)!.producer!]));

  const weights = emitWeights(graph, plan, parameters);
  for (const [region, node] of nodeOf) {
    if (region.weight) node.setInput(region.weight.input, weights.get(weightKey(region.weight))!);
    if (region.bias) node.setInput(region.bias.input, emitBias(graph, region, parameters));
    if (region.quantizedOutput) absorbClamps(node, region, plan, parameters);
  }

  const readers = new Map<string, { node: Node; input: number }[]>();
  for (const [region, node] of nodeOf) {
    for (const { tensor, input } of region.activations) {
      const list = readers.get(tensor);
      if (list) list.push({ node, input });
      else readers.set(tensor, [{ node, input }]);
    }
  }
  const written = new Map<QuantParams, [Value, Value]>();
  for (const tensor of plan.tensors) {
    emitActivation(graph, tensor, plan.scheme.activationSymmetric, parameters, readers.get(tensor.name) ?? [], written);
  }
  removeDead(graph);
  sortNodes(graph);
  return { model, activations: parameters.activations, repaired: parameters.repaired };
}

/** DequantizeLinear outputs of the quantized constants, by weight key. */
function emitWeights(graph: Graph, plan: Plan, parameters: Parameters): Map<string, Value> {
  const outputs = new Map<string, Value>();
  for (const weight of plan.weights) {
    const { name } = weight;
    const how = parameters.weights.get(weightKey(weight))!;
    const quantized = quantizeWeights(graph.values.get(name)!.constant!, how, `${name}_quantized`);
    const zeros = codes(how.type, how.scales.length).fill(how.zeroPoint);
    outputs.set(weightKey(weight), dequantizeConstant(graph, name, quantized, how.scales, zeros, how.axis));
  }
  return outputs;
}

/** A bias shared by two nodes gets a quantized copy for each: its scale depends on the node's input. */
function emitBias(graph: Graph, { bias, weight, activations }: RegionPlan, parameters: Parameters): Value {
  const name = bias!.tensor;
  const inputScale = parameters.activations.get(activations[0]!.tensor)!.scale;
  const weightScales = parameters.weights.get(weightKey(weight!))!.scales;
  const quantized = quantizeBias(graph.values.get(name)!.constant!, inputScale, weightScales, `${name}_quantized`);
  const { scales } = quantized;
  return dequantizeConstant(
    graph,
    name,
    quantized.codes,
    scales,
    new Int32Array(scales.length),
    scales.length > 1 ? 0 : undefined,
  );
}

/** Constant codes and their DequantizeLinear; one scale makes scalars, several a vector along `axis`. */
function dequantizeConstant(
  graph: Graph,
  name: string,
  quantized: Tensor,
  scales: Float32Array,
  zeros: Int32Array | ReturnType<typeof codes>,
  axis: number | undefined,
): Value {
  const dims = axis === undefined ? [] : [scales.length];
  const scale = graph.addInitializer(Tensor.of(`${quantized.name}_scale`, 'float32', dims, scales));
  const zeroPoint = graph.addInitializer(Tensor.of(`${quantized.name}_zero_point`, quantized.type.name, dims, zeros));
  const node = graph.makeNode('DequantizeLinear', [graph.addInitializer(quantized), scale, zeroPoint], {
    name: `${name}_DequantizeLinear`,
    outputs: [`${name}_DequantizeLinear_Output`],
  });
  if (axis !== undefined) node.setInt('axis', axis);
  graph.prepend(node);
  return node.output()!;
}

/** Removes the limiting activations behind a region whose output codes cannot leave the limits anyway. */
function absorbClamps(node: Node, region: RegionPlan, plan: Plan, parameters: Parameters): void {
  const params = parameters.activations.get(region.outputs[0]!)!;
  const range = representable(params, plan.scheme.activationSymmetric);
  const slack = params.scale / 2;
  for (let i = 0; i < region.clamps.length; i++) {
    const value = node.output()!;
    const clamp = value.soleUser!;
    const limits = specOf(clamp)!.clamp!(clamp)!;
    if (range.min < limits.min - slack || range.max > limits.max + slack) return;
    // The tensor behind the clamp is what was planned and observed: its name stays (bypass keeps those of graph outputs).
    if (!clamp.output()!.isOutput) node.graph!.swapNames(value, clamp.output()!);
    bypass(clamp, value);
  }
}

/** Puts the quantizer on one tensor. */
function emitActivation(
  graph: Graph,
  tensor: TensorPlan,
  symmetric: boolean,
  parameters: Parameters,
  readers: readonly { node: Node; input: number }[],
  written: Map<QuantParams, [Value, Value]>,
): void {
  const { name } = tensor;
  const params = parameters.activations.get(name)!;
  const value = graph.values.get(name)!;
  if (tensor.source === 'constant') {
    const quantized = quantizeTensor(value.constant!, params, symmetric, `${name}_quantized`);
    const zero = codes(params.type, 1).fill(params.zeroPoint);
    const dequantized = dequantizeConstant(graph, name, quantized, Float32Array.of(params.scale), zero, undefined);
    for (const { node, input } of readers) node.setInput(input, dequantized);
    return;
  }
  const [scale, zeroPoint] = parameterValues(graph, tensor, params, written);
  const quantize = graph.makeNode('QuantizeLinear', [null, scale, zeroPoint], {
    name: `${name}_QuantizeLinear`,
    outputs: [`${name}_QuantizeLinear_Output`],
  });
  const dequantize = graph.makeNode('DequantizeLinear', [quantize.output()!, scale, zeroPoint], {
    name: `${name}_DequantizeLinear`,
    outputs: [`${name}_DequantizeLinear_Output`],
  });
  if (value.producer) graph.insertAfter(quantize, value.producer);
  else graph.prepend(quantize);
  graph.insertAfter(dequantize, quantize);
  const dequantized = dequantize.output()!;
  if (value.dims) {
    quantize.output()!.setType(dataType(params.type).code, value.dims);
    dequantized.setType(dataType('float32').code, value.dims);
  }
  if (tensor.int8Producer) {
    forward(value, dequantized);
    if (dequantized.name === name) graph.rename(value, `${name}_QuantizeLinear_Input`);
  } else {
    for (const { node, input } of readers) node.setInput(input, dequantized);
  }
  quantize.setInput(0, value);
}

/** Scale and zero point as constants; a tensor that shares parameters reads those of the other. */
function parameterValues(
  graph: Graph,
  tensor: TensorPlan,
  params: QuantParams,
  written: Map<QuantParams, [Value, Value]>,
): [Value, Value] {
  const shared = written.get(params);
  if (shared) return shared;
  const zero = codes(params.type, 1).fill(params.zeroPoint);
  const pair: [Value, Value] = [
    graph.addInitializer(Tensor.of(`${tensor.name}_scale`, 'float32', [], Float32Array.of(params.scale))),
    graph.addInitializer(Tensor.of(`${tensor.name}_zero_point`, params.type, [], zero)),
  ];
  written.set(params, pair);
  return pair;
}
