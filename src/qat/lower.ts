/**
 * Fake-quantized model → int8 model: float weights become codes, biases int32 codes at (input scale × weight scale), and Relu or
 * Clip vanish where the quantizer behind them limits as much. What results is the layout that onnxruntime turns into integer
 * kernels (quantized/qdq.ts writes the same); activations keep the quantizers they have, learned or calibrated.
 */
import { modelFromProto } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import { modelToProto } from '../graph/to-proto.ts';
import type { Value } from '../graph/value.ts';
import { removeDead, sortNodes } from '../graph/walk.ts';
import { specOf } from '../ops/index.ts';
import { Tensor } from '../onnx/tensor.ts';
import { guardFloatNodes } from '../quantized/barrier.ts';
import { quantizeBias, repairOverflow } from '../quantized/bias.ts';
import { dequantizeIn, placeCodes, type Placed } from '../quantized/dequantize.ts';
import { clamp, codes, roundHalfEven } from '../quantized/params.ts';
import { moveCodes } from '../quantized/qdq.ts';
import { findFakeQuants, type FakeQuant } from './fake-quant.ts';
import { findLayers } from './layers.ts';

export interface Lowered {
  readonly model: Model;
  /** Constants that became integer codes, and biases that became int32. */
  readonly weights: number;
  readonly biases: number;
  /** Relu and Clip nodes that the quantizer behind them replaced. */
  readonly absorbed: number;
  /** Weights whose scale was enlarged so that a bias fits int32, with the number of channels. */
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
}

/** The given model is left as it is. Quantizers whose codes are used otherwise, or whose scales are computed, stay. */
export function lowerFakeQuant(source: Model): Lowered {
  const model = modelFromProto(modelToProto(source), source.dir);
  makeScalars(model);
  const constants = findFakeQuants(model).filter(
    ({ input, scale, zeroPoint }) => input.isConstant && scale.isConstant && (!zeroPoint || zeroPoint.isConstant),
  );
  const scales = new Map(constants.map((fake) => [fake, Float32Array.from(fake.scale.constant!.floats())]));
  const layers = findLayers(model, constants);

  const repaired = new Map<FakeQuant, number>();
  for (const { node, weight, inputScale, bias } of layers) {
    if (bias === undefined) continue;
    const changed = repairOverflow(node.constant(bias)!, oneNumber(inputScale!), scales.get(weight)!);
    if (changed.length > 0) repaired.set(weight, (repaired.get(weight) ?? 0) + changed.length);
  }

  for (const fake of constants) replaceByCodes(fake, scales.get(fake)!);
  let biases = 0;
  for (const { node, weight, inputScale, bias } of layers) {
    if (bias === undefined) continue;
    lowerBias(node, bias, oneNumber(inputScale!), scales.get(weight)!);
    biases++;
  }
  const absorbed = findFakeQuants(model).reduce((sum, fake) => sum + absorbClamps(fake), 0);
  for (const node of [...model.allNodes()]) {
    const { since = Infinity } = specOf(node)?.moveCodes ?? {};
    if (model.opset >= since) moveCodes(node);
  }
  for (const graph of model.graph.graphs()) guardFloatNodes(graph);
  removeDead(model.graph);
  sortNodes(model.graph);
  return {
    model,
    weights: constants.length,
    biases,
    absorbed,
    repaired: [...repaired].map(([{ input }, channels]) => ({ weight: input.name, channels })),
  };
}

/** One scale in a vector of length 1, as PyTorch writes it, becomes a scalar: integer kernels take nothing else. */
function makeScalars(model: Model): void {
  for (const node of model.allNodes()) {
    if (!node.is('QuantizeLinear', 'DequantizeLinear')) continue;
    for (const value of [node.input(1), node.input(2)]) {
      if (value?.constant?.dims.length !== 1 || value.constant.size !== 1 || value.isOutput) continue;
      const only = [...value.users.keys()].every((user) => user.is('QuantizeLinear', 'DequantizeLinear'));
      if (!only) continue;
      value.initializer = value.constant.reshaped([]);
      value.info = undefined;
    }
  }
}

function oneNumber(scale: Value): number {
  return scale.constant!.floats()[0]!;
}

/** Codes as QuantizeLinear makes them: half to even of the float32 quotient, saturated. */
function codesOf({ input, zeroPoint, axis, type, limits }: FakeQuant, scales: Float32Array): Tensor {
  const tensor = input.constant!;
  const values = tensor.floats();
  const zeros = zeroPoint?.constant!.ints() ?? [0];
  const out = codes(type, values.length);
  const inner = axis === undefined ? values.length : tensor.dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  for (let start = 0, block = 0; start < values.length; start += inner, block++) {
    const scale = scales[block % scales.length]!;
    const zero = zeros[block % zeros.length]!;
    for (let i = start; i < start + inner; i++) {
      out[i] = clamp(roundHalfEven(Math.fround(values[i]! / scale)) + zero, limits.qmin, limits.qmax);
    }
  }
  return Tensor.of(`${input.name}_quantized`, type, [...tensor.dims], out);
}

/** Readers of each graph read the codes through a DequantizeLinear of their own graph. */
function replaceByCodes(fake: FakeQuant, scales: Float32Array): void {
  const { input, axis, type, zeroPoint, dequantize } = fake;
  const given = zeroPoint?.constant!.ints() ?? [0];
  const zeros = codes(type, scales.length).map((_, i) => given[i % given.length]!);
  const placed = placeCodes(input.graph, codesOf(fake, scales), scales, zeros, axis);
  const here = new Map<Graph, Value>();
  for (const node of dequantize) {
    const graph = node.graph!;
    if (!here.has(graph)) here.set(graph, dequantizeIn(graph, placed, input.name));
    graph.replaceUses(node.output()!, here.get(graph)!);
  }
}

/** A bias shared by two nodes gets a quantized copy for each: its scale depends on the node's input. */
function lowerBias(node: Node, index: number, inputScale: number, weightScales: Float32Array): void {
  const { name } = node.input(index)!;
  const quantized = quantizeBias(node.constant(index)!, inputScale, weightScales, `${name}_quantized`);
  const { scales } = quantized;
  const axis = scales.length > 1 ? 0 : undefined;
  const placed: Placed = placeCodes(node.graph!, quantized.codes, scales, new Int32Array(scales.length), axis);
  node.setInput(index, dequantizeIn(node.graph!, placed, name));
}

/** Removes the limiting activations before a quantizer whose codes cannot leave the limits anyway. Returns how many. */
function absorbClamps(fake: FakeQuant): number {
  const scale = fake.scale.constant?.floats();
  const zero = fake.zeroPoint?.constant?.ints()[0] ?? 0;
  if (scale?.length !== 1) return 0;
  const [low, high] = [fake.limits.qmin, fake.limits.qmax].map((code) => (code - zero) * scale[0]!) as [number, number];
  const slack = scale[0]! / 2;
  let absorbed = 0;
  for (let value = fake.quantize.input(0)!; ; value = fake.quantize.input(0)!) {
    const clampNode = value.producer;
    const limits = clampNode && specOf(clampNode)?.clamp?.(clampNode);
    if (!limits || value.soleUser !== fake.quantize || !isLayer(clampNode)) return absorbed;
    if (low < limits.min - slack || high > limits.max + slack) return absorbed;
    const limited = clampNode.input(0)!;
    // What was quantized keeps its name.
    clampNode.graph!.swapNames(value, limited);
    bypass(clampNode, limited);
    absorbed++;
  }
}

/** Whether what it limits is computed in integers: behind a layer with its operands in codes, perhaps through other limits. */
function isLayer(clampNode: Node): boolean {
  const before = clampNode.input(0);
  const producer = before?.producer;
  if (!producer || before.soleUser !== clampNode) return false;
  if (specOf(producer)?.clamp) return isLayer(producer);
  return producer.inputs[0]?.producer?.is('DequantizeLinear') === true;
}
