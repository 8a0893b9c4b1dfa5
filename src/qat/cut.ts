/**
 * A quantized model cut at its quantizers: what each part makes of given values. Two models that hold the same quantizers can so be
 * compared part by part, each fed with the very same values, and what deviates is the part itself and not what came before. Cuts are
 * made in float, on either side of a whole pair, because onnxruntime's fusions look for pairs. So it is proven that converting changes
 * nothing: one step of the codes is all that a part may differ.
 */
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Dim, Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';

/** Where a model can be cut. */
export interface CutPoint {
  readonly quantize: Node;
  /** One of those that read the codes. */
  readonly dequantize: Node;
}

/** Finds the codes of activations that a DequantizeLinear of the main graph reads, by name. */
export function cutPoints(model: Model): Map<string, CutPoint> {
  const points = new Map<string, CutPoint>();
  for (const node of model.graph.nodes()) {
    const codes = node.is('DequantizeLinear') ? node.input(0) : undefined;
    if (!codes || codes.isConstant || codes.isOutput || codes.graph !== model.graph) continue;
    const quantize = quantizerOf(codes);
    if (quantize && !points.has(codes.name)) points.set(codes.name, { quantize, dequantize: node });
  }
  return points;
}

/** Behind limits on the codes, too. */
function quantizerOf(codes: Value): Node | undefined {
  let producer = codes.producer;
  while (producer?.is('Clip', 'Cast')) producer = producer.input(0)?.producer;
  return producer?.is('QuantizeLinear') ? producer : undefined;
}

/** Makes a copy that hands out what these codes stand for as well, and under which names. */
export function showQuantized(source: Model): { model: Model; shown: Map<string, string> } {
  const model = copyModel(source);
  const shown = new Map<string, string>();
  for (const [name, { dequantize }] of cutPoints(model)) {
    const value = dequantize.output()!;
    shown.set(name, value.name);
    if (value.isOutput) continue;
    value.setType(dataType('float32').code, value.dims);
    model.graph.addOutput(value);
  }
  return { model, shown };
}

/** A cut model. */
export interface CutModel {
  readonly model: Model;
  /** Names of the inputs that stand for codes, and of the outputs that show what they stand for, by the name of the codes. */
  readonly fed: ReadonlyMap<string, string>;
  readonly shown: ReadonlyMap<string, string>;
}

/** Makes a copy in which whatever reads one of these codes reads those of an input of the graph, of these dimensions, quantized alike. */
export function cutModel(source: Model, dims: ReadonlyMap<string, readonly Dim[]>): CutModel {
  const model = copyModel(source);
  const [fed, shown] = [new Map<string, string>(), new Map<string, string>()];
  const float = dataType('float32').code;
  const copy = (of: Node, value: Value, name: string): Node => {
    const inputs = [value, of.input(1)!, ...(of.input(2) ? [of.input(2)!] : [])];
    const node = model.graph.makeNode(of.opType, inputs, { outputs: [name] });
    for (const [key, attribute] of of.attributes) node.attributes.set(key, attribute);
    return node;
  };
  for (const [name, { quantize, dequantize }] of cutPoints(model)) {
    const size = dims.get(name);
    if (!size) continue;
    const codes = model.graph.values.get(name)!;
    const input = model.graph.addInput(`${name}_fed`, float, size);
    const again = model.graph.insertAfter(copy(quantize, input, `${name}_again`), quantize);
    model.graph.replaceUses(codes, again.output()!);
    const seen = model.graph.insertAfter(copy(dequantize, codes, `${name}_seen`), codes.producer!);
    seen.output()!.setType(float);
    model.graph.addOutput(seen.output()!);
    fed.set(name, input.name);
    shown.set(name, seen.output()!.name);
  }
  return { model, fed, shown };
}

/** Finds the nodes between quantizers that make this value: up to what comes from codes. */
export function partOf(value: Value): Node[] {
  const part = new Set<Node>();
  const waiting = [value];
  for (let each = waiting.pop(); each; each = waiting.pop()) {
    const { producer } = each;
    if (!producer || part.has(producer)) continue;
    if (!producer.is('QuantizeLinear', 'DequantizeLinear')) part.add(producer);
    if (producer.is('DequantizeLinear')) continue;
    for (const input of producer.inputs) if (input && !input.isConstant) waiting.push(input);
  }
  return [...part];
}
