/** IR → messages. What was not changed is the very message that was read, so an untouched model is saved byte for byte. */
import type {
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetIdProto,
  TensorProto,
  ValueInfoProto,
} from '../onnx/messages.ts';
import { attributeToProto } from './attribute.ts';
import type { Graph } from './graph.ts';
import { normalDomain, type Model } from './model.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

export function modelToProto(model: Model): ModelProto {
  const { origin } = model;
  return {
    ...origin,
    ...(model.irVersion === Number(origin.irVersion ?? 0) ? {} : { irVersion: model.irVersion }),
    ...unlessEmpty('opsetImport', opsetImports(model), origin.opsetImport),
    graph: graphToProto(model.graph),
    ...unlessEmpty('functions', model.functions, origin.functions),
    ...unlessEmpty('metadataProps', metadataProps(model), origin.metadataProps),
  };
}

export function graphToProto(graph: Graph): GraphProto {
  const origin = graph.origin ?? {};
  return {
    ...origin,
    ...(graph.name || origin.name !== undefined ? { name: graph.name } : {}),
    ...unlessEmpty('node', [...graph.nodes()].map(nodeToProto), origin.node),
    ...unlessEmpty('initializer', initializers(graph), origin.initializer),
    ...unlessEmpty('input', graph.inputs.map(infoOf), origin.input),
    ...unlessEmpty('output', outputInfos(graph), origin.output),
    ...unlessEmpty('valueInfo', valueInfos(graph), origin.valueInfo),
  };
}

/** A repeated field that is empty now and was absent stays absent. */
function unlessEmpty<K extends string, T>(key: K, list: T[], before: T[] | undefined): { [P in K]?: T[] } {
  return list.length > 0 || before !== undefined ? ({ [key]: list } as { [P in K]?: T[] }) : {};
}

function nodeToProto(node: Node): NodeProto {
  const origin = node.origin ?? {};
  const names = (values: readonly (Value | null)[]) => values.map((value) => value?.name ?? '');
  const domainKept = normalDomain(origin.domain) === node.domain;
  return {
    ...origin,
    ...unlessEmpty('input', names(node.inputs), origin.input),
    ...unlessEmpty('output', names(node.outputs), origin.output),
    ...(node.name || origin.name !== undefined ? { name: node.name } : {}),
    ...(node.opType || origin.opType !== undefined ? { opType: node.opType } : {}),
    ...(domainKept ? {} : { domain: node.domain }),
    ...unlessEmpty(
      'attribute',
      [...node.attributes].map(([name, attribute]) => attributeToProto(name, attribute, graphToProto)),
      origin.attribute,
    ),
  };
}

/** Initializers in the order of the file, new ones after them. */
function initializers(graph: Graph): TensorProto[] {
  const live = new Set<Value>();
  for (const value of graph.values.values()) if (value.initializer) live.add(value);
  const protos: TensorProto[] = [];
  const emit = (value: Value | undefined): void => {
    if (value && live.delete(value)) protos.push(value.initializer!.toProto());
  };
  for (const proto of graph.origin?.initializer ?? []) emit(graph.values.get(proto.name ?? ''));
  for (const value of [...live]) emit(value);
  return protos;
}

function infoOf(value: Value): ValueInfoProto {
  return value.info?.name === value.name ? value.info : { ...value.info, name: value.name };
}

/** An output that is also an input keeps the record the output list had for it. */
function outputInfos(graph: Graph): ValueInfoProto[] {
  const before = new Map((graph.origin?.output ?? []).map((info) => [info.name ?? '', info]));
  return graph.outputs.map((value) => {
    if (value.info && !value.isInput && value.graph === graph) return infoOf(value);
    return before.get(value.name) ?? infoOf(value);
  });
}

/** value_info of live inner values: the file's order first; records of names the graph never had are kept. */
function valueInfos(graph: Graph): ValueInfoProto[] {
  const pending = new Set<Value>();
  for (const value of graph.values.values()) {
    if (value.info && !value.isInput && !value.outputOf.has(graph)) pending.add(value);
  }
  const known = new Set<string>();
  for (const node of graph.origin?.node ?? []) for (const name of node.output ?? []) known.add(name);
  for (const tensor of graph.origin?.initializer ?? []) known.add(tensor.name ?? '');
  const infos: ValueInfoProto[] = [];
  for (const info of graph.origin?.valueInfo ?? []) {
    const value = graph.values.get(info.name ?? '');
    if (value && pending.delete(value)) infos.push(infoOf(value));
    else if (value ? value.isInput || value.outputOf.has(graph) : !known.has(info.name ?? '')) infos.push(info);
  }
  for (const value of pending) infos.push(infoOf(value));
  return infos;
}

function opsetImports(model: Model): OperatorSetIdProto[] {
  const before = model.origin.opsetImport ?? [];
  const kept = before.filter((o) => model.opsets.has(normalDomain(o.domain)));
  const imports = kept.map((o) => {
    const version = model.opsets.get(normalDomain(o.domain))!;
    return Number(o.version ?? 0) === version ? o : { ...o, version };
  });
  const present = new Set(kept.map((o) => normalDomain(o.domain)));
  for (const [domain, version] of model.opsets) if (!present.has(domain)) imports.push({ domain, version });
  return imports;
}

function metadataProps(model: Model): { key?: string; value?: string }[] {
  const before = new Map((model.origin.metadataProps ?? []).map((p) => [p.key ?? '', p]));
  return [...model.metadata].map(([key, value]) => {
    const old = before.get(key);
    return old && (old.value ?? '') === value ? old : { key, value };
  });
}
