/**
 * A call of a model-local function → the nodes of the function, in the place of the call. The function's messages are
 * rewritten first, names and attribute references, and then read like any other nodes.
 */
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from '../onnx/messages.ts';
import { attributeToProto } from './attribute.ts';
import { insertNodes } from './from-proto.ts';
import { Node } from './node.ts';
import { graphToProto } from './to-proto.ts';
import type { Value } from './value.ts';

/** Names of the function's scope → names in the graph of the call; '' for an input that the call omits. */
type Scope = ReadonlyMap<string, string>;

/** The outputs of the call keep their names and users. Types that the function declares for inner values are kept. */
export function inlineCall(call: Node, callee: FunctionProto, dir: string | undefined): void {
  const graph = call.graph!;
  const scope = new Map((callee.input ?? []).map((name, index) => [name, call.input(index)?.name ?? '']));
  const localize = localizer(call, callee);
  const nodes = new Set(insertNodes(localize(callee.node ?? [], scope), call, dir));
  for (const info of callee.valueInfo ?? []) {
    const value = graph.values.get(scope.get(info.name ?? '') ?? '');
    if (value?.producer && nodes.has(value.producer)) value.info ??= { ...info, name: value.name };
  }
  const taken = new Set<Value>();
  (callee.output ?? []).forEach((name, index) => {
    const outer = call.output(index);
    if (!outer) return;
    const inner = graph.find(scope.get(name)!)!;
    call.setOutput(index, null);
    const producer = inner.producer;
    if (producer && nodes.has(producer) && !taken.has(inner)) {
      graph.replaceUses(inner, outer);
      producer.setOutput(producer.outputs.indexOf(inner), outer);
      graph.removeValue(inner);
      // A function may list a value as two outputs: the second one is a copy of the first.
      scope.set(name, outer.name);
      taken.add(outer);
    } else {
      const identity = new Node('Identity', `${call.label}/${name}`);
      identity.setInput(0, inner);
      identity.setOutput(0, outer);
      graph.insertBefore(identity, call);
    }
  });
  graph.remove(call);
}

/** Rewrites nodes of the function: adds what they define to the scope, under names unique in the model. */
function localizer(
  call: Node,
  callee: FunctionProto,
): (nodes: readonly NodeProto[], scope: Map<string, string>) => NodeProto[] {
  const { names } = call.graph!;
  const prefix = call.label;
  const defaults = new Map((callee.attributeProto ?? []).map((attribute) => [attribute.name ?? '', attribute]));

  const localizeNodes = (nodes: readonly NodeProto[], scope: Map<string, string>): NodeProto[] => {
    for (const { output } of nodes) for (const name of output ?? []) define(name, scope);
    return nodes.map((node) => ({
      ...node,
      input: renamed(node.input, scope),
      output: renamed(node.output, scope),
      ...(node.name ? { name: `${prefix}/${node.name}` } : {}),
      attribute: (node.attribute ?? []).flatMap((attribute) => localizeAttribute(attribute, scope)),
    }));
  };
  const define = (name: string, scope: Map<string, string>): void => {
    if (name !== '') scope.set(name, names.unique(`${prefix}/${name}`));
  };
  const localizeAttribute = (attribute: AttributeProto, scope: Scope): AttributeProto[] => {
    const { refAttrName, ...rest } = attribute;
    if (refAttrName) {
      const given = call.attributes.get(refAttrName);
      const source = given ? attributeToProto(refAttrName, given, graphToProto) : defaults.get(refAttrName);
      return source ? [{ ...source, ...(rest.name === undefined ? {} : { name: rest.name }) }] : [];
    }
    if (attribute.g) return [{ ...attribute, g: localizeGraph(attribute.g, scope) }];
    if (!attribute.graphs?.length) return [attribute];
    return [{ ...attribute, graphs: attribute.graphs.map((graph) => localizeGraph(graph, scope)) }];
  };
  const localizeGraph = (graph: GraphProto, outer: Scope): GraphProto => {
    const scope = new Map(outer);
    for (const { name } of [...(graph.input ?? []), ...(graph.initializer ?? [])]) define(name ?? '', scope);
    for (const { values } of graph.sparseInitializer ?? []) define(values?.name ?? '', scope);
    const node = localizeNodes(graph.node ?? [], scope);
    const rename = <T extends { name?: string }>(items: readonly T[] | undefined): T[] =>
      (items ?? []).map((item) => ({ ...item, name: scope.get(item.name ?? '') ?? item.name ?? '' }));
    return {
      ...graph,
      node,
      input: rename(graph.input),
      output: rename(graph.output),
      initializer: rename(graph.initializer),
      valueInfo: rename(graph.valueInfo),
      sparseInitializer: (graph.sparseInitializer ?? []).map((sparse) => ({
        ...sparse,
        ...(sparse.values ? { values: rename([sparse.values])[0]! } : {}),
      })),
    };
  };
  return localizeNodes;
}

function renamed(list: readonly string[] | undefined, scope: Scope): string[] {
  return (list ?? []).map((name) => scope.get(name) ?? name);
}
