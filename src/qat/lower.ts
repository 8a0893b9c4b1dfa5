/**
 * Fake-quantized model → int8 model: float weights become codes, biases int32 codes at (input scale × weight scale), and Relu or
 * Clip vanish where the quantizer behind them limits as much. What results is the layout that onnxruntime turns into integer
 * kernels (quantized/qdq.ts writes the same); activations keep the quantizers they have, learned or calibrated. A layer that those
 * kernels would compute otherwise than the model says stays float between its quantizers, with its weight as codes; weights become u8
 * where only CPUs that saturate would compute otherwise (unsignActivations).
 */
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { removeDead, sortNodes } from '../graph/walk.ts';
import { specOf } from '../ops/index.ts';
import { Tensor } from '../onnx/tensor.ts';
import { guardFloatNodes, keepFloat } from '../quantized/barrier.ts';
import { quantizeBias } from '../quantized/bias.ts';
import { dequantizeIn, placeCodes, type Placed, moveCodes } from '../quantized/dequantize.ts';
import { codes, codesTensor } from '../quantized/quant-params.ts';
import { uncomputable } from '../quantized/requantize.ts';
import { absorbClamps, fitWeights, type Origin, unsignActivations } from './lower-passes.ts';
import {
  codesOf,
  findConstantQuants,
  floatsOf,
  recode,
  type ConstantQuant,
  findLayers,
  type Layer,
} from './constant-quant.ts';
import { moveConstants } from './constant-moves.ts';
import { allFakeQuants, findFakeQuants, type FakeQuant } from './fake-quant.ts';
import { storeFourBits } from './storage.ts';

/** What lowering makes. */
export interface Lowered {
  readonly model: Model;
  /** Constants that became integer codes, and biases that became int32. */
  readonly weights: number;
  readonly biases: number;
  /** Relu and Clip nodes that the quantizer behind them replaced. */
  readonly absorbed: number;
  /** Weights whose scale was enlarged so that a bias fits int32, with the number of channels. */
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
  /** Layers between quantizers that run in float, because no integer kernel computes what the model says. */
  readonly float: readonly string[];
  /** The coarsest step on which a bias was rounded; 0 without biases. */
  readonly biasStep: number;
}

/** What the proof of an earlier attempt asks for, by names of nodes' results in the given model. */
export interface LowerSettings {
  /** Nodes that must not run in integers. */
  readonly float?: ReadonlySet<string>;
  /** Activations and weights in signed codes that could saturate on some CPU become unsigned: the same numbers, other kernels. */
  readonly unsigned?: boolean;
}

/** Lowers a model; the given one is left as it is. Quantizers whose codes are used otherwise, or whose scales are computed, stay. */
export function lowerFakeQuant(source: Model, { float = new Set(), unsigned = false }: LowerSettings = {}): Lowered {
  const model = copyModel(source);
  // Looked up before any name moves.
  const keptFloat = new Set([...model.allNodes()].filter((node) => float.has(node.output()?.name ?? '')));
  makeScalars(model);
  if (unsigned) unsignActivations(model);
  const constants = allFakeQuants(model).filter(
    ({ input, scale, zeroPoint }) => input.isConstant && scale.isConstant && (!zeroPoint || zeroPoint.isConstant),
  );
  const sources = new Map<string, Origin>();
  for (const fake of constants) replaceByCodes(fake, sources);
  giveBiasesBack(model);
  moveConstants(model);

  const found = findLayers(model, findConstantQuants(model));
  const layers = found.filter((layer) => layer.inputScale !== undefined && !keptFloat.has(layer.node) && isRead(layer));
  const biased = layers.filter((layer) => layer.bias !== undefined && hasScaleFor(layer));
  const repaired = fitWeights(biased, sources);
  const weights = new Set(layers.map(({ weight }) => weight));
  if (unsigned) new Set(found.map(({ weight }) => weight)).forEach(makeUnsigned);
  const narrow = new Set([...weights].flatMap((weight) => widen(weight) ?? []));
  let [biases, biasStep] = [0, 0];
  for (const layer of layers) {
    if (layer.bias === undefined || !hasScaleFor(layer)) continue;
    biasStep = Math.max(biasStep, lowerBias(layer, layer.bias));
    biases++;
  }
  const absorbed = findFakeQuants(model).reduce((sum, fake) => sum + absorbClamps(fake), 0);
  for (const node of [...model.allNodes()]) {
    const { since = Infinity } = specOf(node)?.moveCodes ?? {};
    if (model.opset >= since && !keptFloat.has(node)) moveCodes(node);
  }
  for (const graph of model.graph.graphs()) guardFloatNodes(graph);
  const notRead = found.filter((layer) => layer.inputScale !== undefined && !layers.includes(layer));
  const beyond = [...model.allNodes()].filter((node) => node.domain === '' && uncomputable(node));
  const notInteger = new Set([...keptFloat, ...notRead.map((layer) => layer.node), ...beyond]);
  for (const node of notInteger) if (node.graph) keepFloat(node);
  removeDead(model.graph);
  storeFourBits(model, narrow);
  sortNodes(model.graph);
  return {
    model,
    weights: constants.length,
    biases,
    absorbed,
    repaired,
    float: [...notRead.map(({ node }) => node), ...beyond]
      .filter((node) => !keptFloat.has(node))
      .map(({ label }) => label),
    biasStep,
  };
}

/** Makes a scale in a vector of length 1, as PyTorch writes it, a scalar: integer kernels take nothing else. */
export function makeScalars(model: Model): void {
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

/** Lets the readers of each graph read the codes through a DequantizeLinear of their own graph. */
function replaceByCodes(fake: FakeQuant, sources: Map<string, Origin>): void {
  const { input, axis, block, type, zeroPoint, dequantize, limits } = fake;
  const values = input.constant!;
  const scales = Float32Array.from(fake.scale.constant!.floats());
  const given = zeroPoint?.constant!.ints() ?? [0];
  const elements = codesOf(values.floats(), values.dims, { type, scales, zeros: given, axis, block }, limits);
  const quantized = codesTensor(`${input.name}_quantized`, type, [...values.dims], elements);
  const zeros = codes(type, scales.length).map((_, i) => given[i % given.length]!);
  const dims = block === undefined ? undefined : fake.scale.constant!.dims;
  const placed: Placed = { ...placeCodes(input.graph, quantized, scales, zeros, axis, undefined, dims), block };
  sources.set(placed.codes.name, { name: input.name, values, limits });
  const here = new Map<Graph, Value>();
  for (const node of dequantize) {
    const graph = node.graph!;
    if (!here.has(graph)) here.set(graph, dequantizeIn(graph, placed, input.name));
    graph.replaceUses(node.output()!, here.get(graph)!);
  }
}

/** Makes biases in codes of any kind and scale float again: kernels take them at one scale only, which `lowerBias` gives them. */
function giveBiasesBack(model: Model): void {
  for (const node of model.allNodes()) {
    const before = specOf(node)?.weight ? node.input(2)?.producer : undefined;
    const [stored, scale, zero] = [before?.constant(0), before?.constant(1), before?.constant(2)];
    if (!before?.is('DequantizeLinear') || !stored || !scale || (before.input(2) && !zero)) continue;
    const several = scale.size > 1;
    const how = { type: 'int8', scales: scale.floats(), zeros: zero?.ints() ?? [0], block: undefined } as const;
    const axis = several ? (before.int('axis', 1) + stored.dims.length) % stored.dims.length : undefined;
    const name = `${before.input(0)!.name}_float`;
    const values = floatsOf(stored, { ...how, axis });
    node.setInput(2, before.input(0)!.graph.addInitializer(Tensor.of(name, 'float32', stored.dims, values)));
  }
}

/** Whether integer kernels read the weight's scales as the model means them: one, or one per output channel; one zero point. */
function isRead({ weight: { scales, zeros, axis, block }, axis: read }: Layer<ConstantQuant>): boolean {
  if (zeros.some((zero) => zero !== zeros[0])) return false;
  return scales.length === 1 || (block === undefined && axis === read);
}

/** Whether each element of the bias has a scale: a bias of another length (a grouped ConvTranspose has fewer scales than channels) stays float. */
function hasScaleFor({ node, weight: { scales }, bias }: Layer<ConstantQuant>): boolean {
  return scales.length === 1 || scales.length === node.constant(bias!)!.size;
}

function oneNumber(scale: Value): number {
  return scale.constant!.floats()[0]!;
}

/**
 * int8 → uint8 with the zero point moved by as much. Products of two unsigned codes saturate on no CPU; with codes up to 64 no pair of
 * products does (255 · 128 < 2^15).
 */
function makeUnsigned(weight: ConstantQuant): void {
  if (weight.type !== 'int8') return;
  const signed = weight.input.constant!.ints();
  if (signed.every((code) => Math.abs(code) <= 64)) return;
  const moved = Uint8Array.from(signed, (code) => code + 128);
  weight.zeros = weight.zeros.map((zero) => zero + 128);
  weight.type = 'uint8';
  weight.input = recode(weight, moved, weight);
}

/** Widens four-bit codes to eight bits, which is what integer kernels read; they are stored in four all the same. */
function widen(weight: ConstantQuant): Value | undefined {
  if (weight.type !== 'int4' && weight.type !== 'uint4') return undefined;
  const type = weight.type === 'int4' ? 'int8' : 'uint8';
  const elements = codes(type, weight.input.constant!.size);
  elements.set(weight.input.constant!.ints());
  weight.type = type;
  weight.input = recode(weight, elements, weight);
  return weight.input;
}

/**
 * A bias shared by two nodes gets a quantized copy for each: its scale depends on the node's input.
 * @returns the largest step of the bias
 */
function lowerBias({ node, weight, inputScale }: Layer<ConstantQuant>, index: number): number {
  const { name } = node.input(index)!;
  const quantized = quantizeBias(node.constant(index)!, oneNumber(inputScale!), weight.scales, `${name}_quantized`);
  const { scales } = quantized;
  const axis = scales.length > 1 ? 0 : undefined;
  const placed: Placed = placeCodes(node.graph!, quantized.codes, scales, new Int32Array(scales.length), axis);
  node.setInput(index, dequantizeIn(node.graph!, placed, name));
  return scales.reduce((most, scale) => Math.max(most, scale), 0);
}
