/**
 * A quantized model cut at its quantizers: what each part makes of given codes. Two models that hold the same quantizers can so be
 * compared part by part, each fed with the very same codes, and what deviates is the part itself and not what came before.
 */
import { elementTypes } from '../graph/element-types.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { modelToProto } from '../graph/to-proto.ts';
import type { Dim, Value } from '../graph/value.ts';
import { dataType, type DataTypeName } from '../onnx/data-types.ts';

/** Types of codes that sessions hand out. */
const shown: ReadonlySet<string> = new Set<DataTypeName>(['uint8', 'int8', 'uint16', 'int16']);

export interface CutPoint {
  readonly quantize: Node;
  readonly type: DataTypeName;
}

/** Codes of activations that nodes of the main graph read, by name, with the QuantizeLinear that makes them. */
export function cutPoints(model: Model): Map<string, CutPoint> {
  const points = new Map<string, CutPoint>();
  const types = elementTypes(model);
  for (const node of model.graph.nodes()) {
    const codes = node.is('DequantizeLinear') ? node.input(0) : undefined;
    if (!codes || codes.isConstant || codes.isOutput || codes.graph !== model.graph) continue;
    const [quantize, type] = [quantizerOf(codes), types.get(codes)];
    if (quantize && type !== undefined && shown.has(type)) points.set(codes.name, { quantize, type });
  }
  return points;
}

/** Behind limits on the codes, too. */
function quantizerOf(codes: Value): Node | undefined {
  let producer = codes.producer;
  while (producer?.is('Clip', 'Cast')) producer = producer.input(0)?.producer;
  return producer?.is('QuantizeLinear') ? producer : undefined;
}

/** A copy that hands out these codes as well. */
export function showCodes(source: Model, points: ReadonlyMap<string, CutPoint>): Model {
  const model = modelFromProto(modelToProto(source), source.dir);
  for (const [name, { type }] of points) {
    const value = model.graph.values.get(name)!;
    value.setType(dataType(type).code, value.dims);
    model.graph.addOutput(value);
  }
  return model;
}

/** A copy in which whatever reads one of these codes reads an input of the graph of this type instead. */
export function cutModel(
  source: Model,
  codes: ReadonlyMap<string, { readonly type: DataTypeName; readonly dims: readonly Dim[] }>,
): { model: Model; fed: Map<string, string> } {
  const model = modelFromProto(modelToProto(source), source.dir);
  const fed = new Map<string, string>();
  for (const [name, { type, dims }] of codes) {
    const value = model.graph.values.get(name);
    if (!value?.producer) continue;
    const input = model.graph.addInput(`${name}_fed`, dataType(type).code, dims);
    model.graph.replaceUses(value, input);
    value.setType(dataType(type).code, value.dims);
    model.graph.addOutput(value);
    fed.set(input.name, name);
  }
  return { model, fed };
}

/** The nodes between quantizers that make this value: up to what comes from codes. */
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
