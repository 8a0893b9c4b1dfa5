/**
 * Plan + ranges → QDQ model: QuantizeLinear and DequantizeLinear on the edges of every int8 region, codes for weights and
 * biases. Names follow onnxruntime.quantization (X_quantized, X_scale, X_zero_point, X_QuantizeLinear_Output, ...), which
 * other tools know.
 */
import type { QdqEncoding } from '../backends/targets/target.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { bypass, forward } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { removeDead, sortNodes } from '../graph/walk.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { specOf } from '../ops/index.ts';
import type { Interval } from '../ops/op.ts';
import { activationScheme, quantizerKey, weightKey, type QdqPlan, type RegionPlan } from '../quantizable/plan.ts';
import { guardOf } from './barrier.ts';
import { quantizeBias } from './bias.ts';
import { dequantizeBehind, dequantizeIn, moveCodes, placeCodes, type Placed } from './dequantize.ts';
import type { Quantized } from './format.ts';
import { codes, quantizeTensor, representable, type QuantParams } from './quant-params.ts';
import { resolveParameters, type Parameters } from './resolve-parameters.ts';
import { weightWriter } from './weight-writer.ts';

/** The QDQ model, and its int8 nodes. */
export interface QuantizedQdq extends Quantized {
  /** The nodes in int8, by the name of their first output in the float model. */
  readonly nodes: ReadonlyMap<string, Node>;
}

/** Writes the model of a plan; the given one is left as it is. @throws QUANT_NO_RANGE, QUANT_BAD_RANGE */
export function emitQdq(source: Model, plan: QdqPlan, ranges: ReadonlyMap<string, Interval>): QuantizedQdq {
  const model = copyModel(source);
  const find = valueFinder(model);
  const parameters = resolveParameters(find, plan, ranges);
  const guardFloat = guardOf(model, plan);
  const nodeOf = new Map(plan.regions.map((region) => [region, find(region.tensor)!.producer!]));

  const origins = new Map<string, string>();
  const weightIn = weightWriter(plan, parameters, find, origins);
  const symmetric = new Map(plan.tensors.map((tensor) => [tensor.name, activationScheme(plan, tensor).symmetric]));
  for (const [region, node] of nodeOf) {
    if (region.weight) node.setInput(region.weight.input, weightIn(weightKey(region.weight), node.graph!));
    if (region.weight?.layout === 'table') dequantizeBehind(node);
    if (region.bias && plan.encoding.bias !== 'float')
      node.setInput(region.bias.input, emitBias(node, region, plan, parameters));
    if (region.quantizedOutput) absorbClamps(node, region, symmetric.get(region.outputs[0]!)!, parameters);
  }

  const readers = new Map<string, Reader[]>();
  for (const [region, node] of nodeOf) {
    for (const operand of region.activations) {
      const { input } = operand;
      const list = readers.get(quantizerKey(operand));
      if (list) list.push({ node, input });
      else readers.set(quantizerKey(operand), [{ node, input }]);
    }
  }
  const written = new Map<QuantParams, [Value, Value]>();
  for (const tensor of plan.tensors) {
    const value = find(tensor.name)!;
    const params = parameters.activations.get(tensor.name)!;
    const reading = readers.get(tensor.name) ?? [];
    const made =
      tensor.source === 'constant'
        ? emitConstant(value, params, plan, symmetric.get(tensor.name)!, reading)
        : emitActivation(value, tensor.int8Producer, params, reading, written, plan.encoding.readers).map(
            (quantize) => quantize.output()!.name,
          );
    for (const codesName of made) origins.set(codesName, tensor.name);
    for (const as of tensor.conversions ?? []) {
      const key = quantizerKey({ tensor: tensor.name, as });
      convert(value, parameters.activations.get(key)!, as.symmetric, readers.get(key) ?? [], written, plan);
    }
  }
  for (const [region, node] of nodeOf) if (region.onCodes) moveCodes(node);
  guardFloat(nodeOf.values());
  for (const { tensor, input, weight } of plan.stored ?? []) {
    const node = find(tensor)?.producer;
    if (node) node.setInput(input, weightIn(weightKey(weight), node.graph!));
  }
  removeDead(model.graph);
  sortNodes(model.graph);
  const nodes = new Map([...nodeOf].map(([{ tensor }, node]) => [tensor, node]));
  return { model, activations: parameters.activations, repaired: parameters.repaired, origins, nodes };
}

/** An int8 node and the input at which it reads. */
export interface Reader {
  readonly node: Node;
  readonly input: number;
}

/** Writes a bias. One that two nodes share gets a quantized copy for each: its scale depends on the node's input. */
function emitBias(
  node: Node,
  { bias, weight, activations }: RegionPlan,
  { encoding }: QdqPlan,
  parameters: Parameters,
): Value {
  const name = bias!.tensor;
  const inputScale = parameters.activations.get(quantizerKey(activations[0]!))!.scale;
  const { scales: weightScales } = parameters.weights.get(weightKey(weight!))!;
  const quantized = quantizeBias(node.constant(bias!.input)!, inputScale, weightScales, `${name}_quantized`);
  const { scales } = quantized;
  const axis = scales.length > 1 ? 0 : undefined;
  const zeros = encoding.bias === 'int32' ? new Int32Array(scales.length) : undefined;
  const placed = placeCodes(node.graph!, quantized.codes, scales, zeros, axis);
  return dequantizeIn(node.graph!, placed, name);
}

/** Removes the limiting activations behind a region whose output codes cannot leave the limits anyway. */
function absorbClamps(node: Node, region: RegionPlan, symmetric: boolean, parameters: Parameters): void {
  const params = parameters.activations.get(region.outputs[0]!)!;
  const range = representable(params, symmetric);
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

/** Writes constant codes in the place of an activation. Returns their names. */
function emitConstant(
  value: Value,
  params: QuantParams,
  { encoding }: QdqPlan,
  symmetric: boolean,
  readers: readonly Reader[],
): string[] {
  const { name } = value;
  const quantized = quantizeTensor(value.constant!, params, symmetric, `${name}_quantized`);
  const zero = codes(params.type, 1).fill(params.zeroPoint);
  const source = encoding.weights === 'pairs' ? value : undefined;
  const placed = placeCodes(value.graph, quantized, Float32Array.of(params.scale), zero, undefined, source);
  redirect(readers, encoding.readers === 'share', (graph) => dequantizeIn(graph, placed, name));
  return [placed.codes.name];
}

/**
 * Puts the quantizer on one tensor, in its own graph, and a DequantizeLinear into each graph where an int8 node reads it.
 * After an int8 producer everything else reads the dequantized value too. Returns the quantizers: one, unless each
 * reader has its own.
 */
export function emitActivation(
  value: Value,
  int8Producer: boolean,
  params: QuantParams,
  readers: readonly Reader[],
  written: Map<QuantParams, [Value, Value]>,
  sharing: QdqEncoding['readers'],
): Node[] {
  const { name, graph } = value;
  const [scale, zeroPoint] = parameterValues(value, params, written);
  const quantizers: Node[] = [];
  const placeQuantizer = (): Placed => {
    const quantize = graph.makeNode('QuantizeLinear', [null, scale, zeroPoint], {
      outputs: [`${name}_QuantizeLinear_Output`],
    });
    quantize.name = quantize.output()!.name.replace(/_Output(?=(_\d+)?$)/, '');
    if (value.producer) graph.insertAfter(quantize, value.producer);
    else graph.prepend(quantize);
    if (value.dims) quantize.output()!.setType(dataType(params.type).code, value.dims);
    quantizers.push(quantize);
    return { codes: quantize.output()!, scale, zeroPoint, axis: undefined };
  };
  const shared = sharing === 'own-pair' ? undefined : placeQuantizer();
  const dequantizeFor = (reading: Graph): Value => {
    const placed = shared ?? placeQuantizer();
    const dequantized = dequantizeIn(reading, placed, name);
    if (value.dims) dequantized.setType(dataType('float32').code, value.dims);
    return dequantized;
  };
  let outside = readers;
  if (int8Producer) {
    const dequantized = dequantizeFor(graph);
    forward(value, dequantized);
    if (dequantized.name === name) graph.rename(value, `${name}_QuantizeLinear_Input`);
    if (sharing === 'share') outside = readers.filter(({ node }) => node.graph !== graph);
  }
  redirect(outside, sharing === 'share', dequantizeFor);
  for (const quantize of quantizers) quantize.setInput(0, value);
  return quantizers;
}

/**
 * Quantizes a tensor for readers that want it in another scheme than its own. Behind an int8 producer they read what the tensor's quantizers let
 * through (DequantizeLinear → QuantizeLinear of the other type); a float value or a constant is quantized for them anew.
 */
function convert(
  value: Value,
  params: QuantParams,
  symmetric: boolean,
  readers: readonly Reader[],
  written: Map<QuantParams, [Value, Value]>,
  plan: QdqPlan,
): void {
  if (value.isConstant) return void emitConstant(value, params, plan, symmetric, readers);
  const groups = new Map<Value, Reader[]>();
  for (const reader of readers) {
    const read = reader.node.input(reader.input)!;
    groups.set(read, [...(groups.get(read) ?? []), reader]);
  }
  for (const [read, some] of groups) emitActivation(read, false, params, some, written, plan.encoding.readers);
}

/** Lets each reader read what is made for its graph or, unless they share, for itself. */
function redirect(readers: readonly Reader[], share: boolean, dequantizeFor: (graph: Graph) => Value): void {
  const values = new Map<Graph, Value>();
  for (const { node, input } of readers) {
    const graph = node.graph!;
    if (!share || !values.has(graph)) values.set(graph, dequantizeFor(graph));
    node.setInput(input, values.get(graph)!);
  }
}

/** Writes scale and zero point as constants; a tensor that shares parameters reads those of the other. */
function parameterValues(
  { name, graph }: Value,
  params: QuantParams,
  written: Map<QuantParams, [Value, Value]>,
): [Value, Value] {
  const shared = written.get(params);
  if (shared) return shared;
  const zero = codes(params.type, 1).fill(params.zeroPoint);
  const pair: [Value, Value] = [
    graph.addInitializer(Tensor.of(`${name}_scale`, 'float32', [], Float32Array.of(params.scale))),
    graph.addInitializer(Tensor.of(`${name}_zero_point`, params.type, [], zero)),
  ];
  written.set(params, pair);
  return pair;
}
