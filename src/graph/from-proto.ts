/** Messages → IR. Nothing is lost: every IR object remembers the message it came from (see to-proto.ts). */
import { densified } from '../onnx/densified.ts';
import type { ModelFile } from '../onnx/model-file.ts';
import { Model, normalDomain } from './model.ts';
import { modelToProto } from './to-proto.ts';
import { graphErrors } from '../errors/graph.ts';
import type { GraphProto, ModelProto, NodeProto } from '../onnx/messages.ts';
import { Tensor } from '../onnx/tensor.ts';
import { attributeFromProto } from './attribute.ts';
import { Graph } from './graph.ts';
import { Names } from './names.ts';
import { Node } from './node.ts';
import { Value } from './value.ts';

/**
 * Builds a model from its message.
 * @param dir folder of the model's file, needed when tensors are stored as external data
 */
export function modelFromProto(proto: ModelProto, dir?: string): Model {
  const names = new Names();
  const graph = readGraph(proto.graph ?? {}, names, undefined, dir);
  return new Model(graph, proto, dir);
}

function readGraph(proto: GraphProto, names: Names, owner: Node | undefined, dir: string | undefined): Graph {
  const graph = new Graph(proto.name ?? '', names, owner, proto);
  for (const info of proto.input ?? []) {
    const value = define(graph, info.name ?? '', 'graph input');
    value.info = info;
    value.isInput = true;
    graph.inputs.push(value);
  }
  for (const tensorProto of proto.initializer ?? []) {
    const name = tensorProto.name ?? '';
    const value = graph.values.get(name) ?? define(graph, name, 'initializer');
    if (value.initializer) throw graphErrors.definedTwice(name, 'initializer');
    value.initializer = Tensor.fromProto(tensorProto, dir);
  }
  for (const sparse of proto.sparseInitializer ?? []) {
    const name = sparse.values?.name ?? '';
    if (!graph.values.has(name)) define(graph, name, 'sparse initializer');
  }
  const nodes = (proto.node ?? []).map((nodeProto) => graph.append(readOutputs(nodeProto, graph)));
  nodes.forEach((node, index) => readInputs(node, proto.node![index]!, graph, dir));
  for (const info of proto.valueInfo ?? []) {
    const value = graph.values.get(info.name ?? '');
    if (value && !value.isInput) value.info = info;
  }
  for (const info of proto.output ?? []) {
    const name = info.name ?? '';
    const value = graph.find(name);
    if (!value) throw graphErrors.undefinedOutput(name, graph.name);
    if (!value.isInput && value.graph === graph) value.info = info;
    graph.addOutput(value);
  }
  return graph;
}

/** Places nodes, whose names are those of the anchor's graph, before the anchor. */
export function insertNodes(protos: readonly NodeProto[], anchor: Node, dir: string | undefined): Node[] {
  const graph = anchor.graph!;
  const nodes = protos.map((proto) => graph.insertBefore(readOutputs(proto, graph), anchor));
  nodes.forEach((node, index) => readInputs(node, protos[index]!, graph, dir));
  return nodes;
}

/** Outputs first, for the whole graph: files with nodes out of order are met. */
function readOutputs(proto: NodeProto, graph: Graph): Node {
  const node = new Node(proto.opType ?? '', proto.name ?? '', normalDomain(proto.domain), proto);
  (proto.output ?? []).forEach((name, index) => {
    node.setOutput(index, name === '' ? null : define(graph, name, `output of node '${node.label}'`));
  });
  return node;
}

function readInputs(node: Node, proto: NodeProto, graph: Graph, dir: string | undefined): void {
  (proto.input ?? []).forEach((name, index) => {
    const value = name === '' ? null : graph.find(name);
    if (value === undefined) throw graphErrors.undefinedInput(name, node.label, graph.name);
    node.setInput(index, value);
  });
  for (const attribute of proto.attribute ?? []) {
    const body = (g: GraphProto) => readGraph(g, graph.names, node, dir);
    node.attributes.set(attribute.name ?? '', attributeFromProto(attribute, body, dir));
  }
}

function define(graph: Graph, name: string, what: string): Value {
  if (graph.values.has(name)) throw graphErrors.definedTwice(name, what);
  graph.names.reserve(name);
  const value = new Value(name, graph);
  graph.values.set(name, value);
  return value;
}

/** Builds the model of a file, its sparse constants as dense ones. Large payloads are not read. */
export function modelFromFile({ proto, dir }: Pick<ModelFile, 'proto' | 'dir'>): Model {
  return modelFromProto(densified(proto, dir), dir);
}

/** Copies a model, so that what is done to the copy does not change the original. Constants are shared, not copied. */
export function copyModel(model: Model): Model {
  return modelFromProto(modelToProto(model), model.dir);
}
