/**
 * The float model with every quantizer of an int8 model built in behind switches, so that one session answers what any choice of
 * layers costs: each layer becomes an If on an input of its own, and only the branch that is taken is computed. The values are
 * those of the Q/DQ model, simulated in float.
 *
 * A switched-on layer reads its activations and weights quantized and quantizes its result, if the int8 model does; a layer
 * that is off still reads what an int8 layer made as codes. That is what leaving the node out of quantization (`--exclude`) does.
 */

import { copyModel } from '../../graph/from-proto.ts';
import { Graph } from '../../graph/graph.ts';
import { valueFinder, type Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { forward } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { sortNodes } from '../../graph/walk.ts';
import { dataType, type DataTypeName } from '../../onnx/data-types.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { specOf } from '../../ops/index.ts';
import { isDequantize, isQuantize } from '../regions.ts';
import type { Pair, Pairing } from './pairing.ts';
import { bare, runsOf, type Quantizer } from './quantizers.ts';

export interface Layer {
  /** Label in the float model: what --exclude takes. */
  readonly node: string;
  readonly op: string;
  /** Name of the bool input that switches it. */
  readonly flag: string;
  /** Of the input that switches whether it writes codes, where the int8 model has it do so. */
  readonly result?: string;
}

export interface Switchable {
  readonly model: Model;
  readonly layers: readonly Layer[];
}

/** A node of the float model and the quantizers that the int8 model puts around it. */
interface Found {
  readonly node: Node;
  /** By input position. */
  readonly inputs: ReadonlyMap<number, Quantizer>;
  /** What the int8 model adds, by input position: rounded, and corrected for what quantization does to means. */
  readonly bias: ReadonlyMap<number, Tensor>;
}

export function buildSwitchable({ pairs, reference, quant }: Pairing): Switchable {
  const found = findLayers(pairs, reference, quant);
  const copy = copyModel(reference);
  const { graph } = copy;
  const find = valueFinder(copy);
  const copied = ({ node }: Found): Node => find(node.outputs.find((value) => value !== null)!.name)!.producer!;
  // Names and producers change under way: look everything up first.
  const layers = found.map((each, index) => ({ each, node: copied(each), flagName: `qdq_layer_${index}` }));
  const flagOf = new Map(
    layers.map(({ node, flagName }) => [node, graph.addInput(flagName, dataType('bool').code, [])]),
  );
  const made = new Map(
    pairs.flatMap(({ origin, quantizer }) =>
      quantizer?.kind === 'activation' && origin?.producer ? [[find(origin.name)!, quantizer] as const] : [],
    ),
  );
  const rows = layers.map(({ node }) => ({ node: node.label, op: node.opType }));
  const results = new Map<Node, Value>();
  for (const [value, quantizer] of made) {
    const maker = makerBehindLimits(value);
    const flag = flagOf.get(maker);
    if (!flag) continue;
    if (!results.has(maker)) results.set(maker, graph.addInput(`${flag.name}_result`, dataType('bool').code, []));
    switchResult(value, results.get(maker)!, quantizer);
  }
  for (const { each, node } of layers) switchLayer(node, flagOf.get(node)!, each);
  sortNodes(graph);
  const named = rows.map((row, i): Layer => {
    const { node } = layers[i]!;
    const result = results.get(node)?.name;
    return { ...row, flag: flagOf.get(node)!.name, ...(result !== undefined && { result }) };
  });
  return { model: copy, layers: named };
}

/** The nodes of the int8 model that run on codes, matched with the float nodes that read the same tensors. */
function findLayers(pairs: readonly Pair[], reference: Model, quant: Model): Found[] {
  const byCodes = new Map(pairs.map((pair) => [pair.value, pair]));
  const readers = new Map<string, Node[]>();
  for (const node of reference.allNodes()) {
    for (const input of node.inputs) if (input) push(readers, `${node.opType} ${input.name}`, node);
  }
  const found: Found[] = [];
  const taken = new Set<Node>();
  for (const node of quant.allNodes()) {
    if (isQuantize(node) || isDequantize(node) || (node.is('Sum') && node.inputs.length === 1)) continue;
    const inputs = new Map<number, Pair>();
    node.inputs.forEach((value, index) => {
      const pair = isDequantize(value?.producer) ? byCodes.get(value!.producer!.input(0)!) : undefined;
      if (pair?.origin && pair.quantizer) inputs.set(index, pair);
    });
    if (inputs.size === 0 || !runsOnCodes(node, inputs)) continue;
    const [[place, first]] = [...inputs] as [[number, Pair]];
    const partner = readers.get(`${node.opType} ${first.origin!.name}`)?.find((candidate) => {
      if (taken.has(candidate) || candidate.input(place) !== first.origin) return false;
      return [...inputs].every(([index, { origin }]) => candidate.input(index) === origin);
    });
    if (!partner) continue;
    taken.add(partner);
    const quantizers = new Map([...inputs].map(([index, { quantizer }]) => [index, quantizer!] as const));
    found.push({ node: partner, inputs: quantizers, bias: biasOf(node, partner) });
  }
  return found;
}

/** @param float in which the bias is a constant, as the rule of the operator wants it */
function biasOf(node: Node, float: Node): Map<number, Tensor> {
  const rule = specOf(float)?.quantize?.(float);
  const operands = typeof rule === 'object' ? rule.operands.filter(({ role }) => role === 'bias') : [];
  return new Map(
    operands.flatMap(({ index }) => {
      const value = node.input(index);
      if (value?.constant) return [[index, value.constant] as const];
      const dequantize = isDequantize(value?.producer) ? value!.producer : undefined;
      const [codes, scale] = [dequantize?.constant(0), dequantize?.constant(1)];
      if (!codes || !scale) return [];
      const scales = scale.floats();
      const data = codes.floats().map((code, i) => Math.fround(code * scales[scales.length === 1 ? 0 : i]!));
      return [[index, Tensor.of(value!.name, 'float32', codes.dims, data)] as const];
    }),
  );
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** It has quantized weights, quantizers on both sides, or is a product of codes that writes float. */
function runsOnCodes(node: Node, inputs: ReadonlyMap<number, Pair>): boolean {
  if ([...inputs.values()].some(({ quantizer }) => quantizer!.kind === 'weight')) return true;
  const rule = specOf(node)?.quantize?.(node);
  if (typeof rule === 'object' && rule.kind === 'anchor') return rule.operands.every(({ index }) => inputs.has(index));
  let result = node.output();
  while (result?.soleUser?.is('Relu', 'Clip')) result = result.soleUser.output();
  return [...(result?.users.keys() ?? [])].some(isQuantize);
}

function makerBehindLimits(value: Value): Node {
  let node = bare(value).producer!;
  while (node.is('Relu', 'Clip') && node.input(0)?.producer && node.input(0)!.useCount === 1) {
    node = node.input(0)!.producer!;
  }
  return node;
}

/** Everything that reads the value reads it quantized when the flag is on. */
function switchResult(value: Value, flag: Value, quantizer: Quantizer): void {
  const { graph } = value;
  const choice = graph.makeNode('If', [flag], { outputs: [`${value.name}_switched`] });
  graph.insertAfter(choice, value.producer!);
  forward(value, choice.output()!);
  branch(choice, 'then_branch', (body) => [roundTrip(body, value, quantizer)]);
  branch(choice, 'else_branch', (body) => [body.append(body.makeNode('Identity', [value])).output()!]);
}

/** The node with quantized inputs, or as it is. */
function switchLayer(node: Node, flag: Value, { inputs: quantizers, bias }: Found): void {
  const graph = node.graph!;
  const outputs = node.outputs.filter((value) => value !== null);
  const choice = graph.makeNode('If', [flag], { outputs: outputs.map(({ name }) => `${name}_layer`) });
  graph.insertAfter(choice, node);
  outputs.forEach((value, index) => forward(value, choice.output(index)!));
  branch(choice, 'then_branch', (body) =>
    clone(body, node, (value, index) => {
      const quantizer = quantizers.get(index);
      if (bias.has(index)) return body.addInitializer(bias.get(index)!);
      if (!quantizer) return value;
      return quantizer.kind === 'weight' ? dequantized(body, quantizer) : roundTrip(body, value, quantizer);
    }),
  );
  branch(choice, 'else_branch', (body) =>
    // A weight of its own, so that onnxruntime prepares it for its kernels as it does in a main graph.
    clone(body, node, (value) => (value.constant ? body.addInitializer(value.constant) : value)),
  );
  graph.remove(node);
}

function branch(choice: Node, name: string, build: (body: Graph) => readonly Value[]): void {
  const body = new Graph(name, choice.graph!.names, choice);
  choice.attributes.set(name, { kind: 'graph', value: body });
  for (const value of build(body)) body.addOutput(value);
}

/** A copy of the node in the body; returns its results. */
function clone(body: Graph, node: Node, input: (value: Value, index: number) => Value): Value[] {
  const inputs = node.inputs.map((value, index) => value && input(value, index));
  const results = node.outputs.filter((value) => value !== null).map(({ name }) => name);
  const copy = body.makeNode(node.opType, inputs, { domain: node.domain, outputs: results });
  for (const [name, attribute] of node.attributes) copy.attributes.set(name, attribute);
  body.append(copy);
  return copy.outputs.filter((value) => value !== null);
}

/** QuantizeLinear → DequantizeLinear. */
function roundTrip(body: Graph, value: Value, quantizer: Quantizer): Value {
  const { scales, zeroPoints, axis, unsigned, bits } = quantizer;
  const dims = axis === undefined ? [] : [scales.length];
  const type = `${unsigned ? 'u' : ''}int${bits}` as DataTypeName;
  const zeros = dataType(type).array;
  const parameters = [
    body.addInitializer(Tensor.of(`${value.name}_scale`, 'float32', dims, Float32Array.from(scales))),
    body.addInitializer(
      Tensor.of(`${value.name}_zero`, type, dims, (zeros as unknown as typeof Int8Array).from(zeroPoints)),
    ),
  ];
  const quantize = body.append(body.makeNode('QuantizeLinear', [value, ...parameters]));
  const dequantize = body.append(body.makeNode('DequantizeLinear', [quantize.output()!, ...parameters]));
  if (axis !== undefined) for (const node of [quantize, dequantize]) node.setInt('axis', axis);
  return dequantize.output()!;
}

/** What the codes of a weight stand for, as a float constant. */
function dequantized(body: Graph, quantizer: Quantizer): Value {
  const { codes, scales, zeroPoints } = quantizer;
  const { name, dims } = codes.constant!;
  const values = Float32Array.from(codes.constant!.floats());
  const { outer, slots, inner, scaleAt } = runsOf(quantizer, dims);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let s = 0; s < slots; s++) {
      const at = scaleAt(o, s);
      for (const end = i + inner; i < end; i++) values[i] = Math.fround((values[i]! - zeroPoints[at]!) * scales[at]!);
    }
  }
  return body.addInitializer(Tensor.of(name, 'float32', dims, values));
}
