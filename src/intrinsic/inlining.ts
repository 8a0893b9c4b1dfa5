/**
 * What stands in a function or in a branch moves into the graph: calls of model functions, and Ifs whose condition is constant.
 */
import type { Graph } from '../graph/graph.ts';
import { separateNodeNames } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { makeConstant } from './edit.ts';
import type { Pass, PassContext } from './pass.ts';
import { graphErrors } from '../errors/graph.ts';
import { inlineCall } from '../graph/inline.ts';
import { normalDomain, type Model } from '../graph/model.ts';
import type { FunctionProto, GraphProto, NodeProto } from '../onnx/messages.ts';
import { weightedTypes } from '../ops/index.ts';

/**
 * Model-local functions are opaque to fusions and quantizers. One that holds something to fuse or to quantize (weights to
 * multiply, or a BatchNormalization, in itself or in a function it calls) is inlined where it is called; any other stays
 * a function.
 */
export const inlineFunctions: Pass = {
  name: 'inline-functions',
  summary: 'calls of model functions that hold something to fuse or quantize become their nodes',
  run(model, context) {
    if (model.functions.length === 0) return false;
    const functions = functionsOf(model);
    return inlineCalls(model, functions, neededFunctions(functions), context) > 0;
  },
};

/** Every call becomes nodes, where operator sets allow it: for rewriting that must reach all nodes. */
export function inlineAll(model: Model): void {
  const functions = functionsOf(model);
  neededFunctions(functions);
  inlineCalls(model, functions, new Set(functions.values()), { applied: () => {}, refused: () => {} });
}

function functionsOf(model: Model): Map<string, FunctionProto> {
  return new Map(model.functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
}

/** @returns number of functions that were inlined */
function inlineCalls(
  model: Model,
  functions: ReadonlyMap<string, FunctionProto>,
  wanted: ReadonlySet<FunctionProto>,
  { applied, refused }: Pick<PassContext, 'applied' | 'refused'>,
): number {
  const inlined = new Set<FunctionProto>();
  // A function's nodes may be calls themselves; they stand before the call they replace, out of the walk's reach.
  for (let again = true; again;) {
    again = false;
    for (const node of model.allNodes()) {
      const callee = functions.get(callOf(node));
      if (!callee || !wanted.has(callee)) continue;
      const obstacle = importOpsets(model, callee);
      if (obstacle !== undefined) {
        refused(node.label, obstacle);
        continue;
      }
      applied([node.label]);
      inlineCall(node, callee, model.dir);
      inlined.add(callee);
      again = true;
    }
  }
  const untouched = model.functions.filter((each) => !inlined.has(each));
  const kept = reachable(model, functions, untouched);
  model.functions = model.functions.filter((each) => kept.has(each));
  return inlined.size;
}

function keyOf(domain: string | undefined, name: string | undefined, overload: string | undefined): string {
  return `${normalDomain(domain)}:${name ?? ''}:${overload ?? ''}`;
}

function callOf({ domain, opType, origin }: Node): string {
  return keyOf(domain, opType, origin?.overload);
}

/** @throws GRAPH_FUNCTION_CYCLE */
function neededFunctions(functions: ReadonlyMap<string, FunctionProto>): Set<FunctionProto> {
  const needed = new Map<FunctionProto, boolean | 'open'>();
  const isNeeded = (callee: FunctionProto): boolean => {
    const known = needed.get(callee);
    if (known === 'open') throw graphErrors.functionCycle(callee.name ?? '');
    if (known !== undefined) return known;
    needed.set(callee, 'open');
    let result = false;
    for (const node of nodesIn(callee)) {
      const inner = functions.get(keyOf(node.domain, node.opType, node.overload));
      if (inner ? isNeeded(inner) : isReason(node)) result = true;
    }
    needed.set(callee, result);
    return result;
  };
  return new Set([...functions.values()].filter(isNeeded));
}

function isReason({ domain, opType }: NodeProto): boolean {
  return normalDomain(domain) === '' && (weightedTypes.has(opType ?? '') || opType === 'BatchNormalization');
}

/** The nodes of a function or a graph and of the bodies in it. */
function* nodesIn({ node }: FunctionProto | GraphProto): Generator<NodeProto> {
  for (const each of node ?? []) {
    yield each;
    for (const { g, graphs } of each.attribute ?? []) for (const body of g ? [g] : (graphs ?? [])) yield* nodesIn(body);
  }
}

/** The functions that the graph or any of `others` needs, directly or through one another. */
function reachable(
  model: Model,
  functions: ReadonlyMap<string, FunctionProto>,
  others: readonly FunctionProto[],
): Set<FunctionProto> {
  const reached = new Set(others);
  for (const node of model.allNodes()) {
    const callee = functions.get(callOf(node));
    if (callee) reached.add(callee);
  }
  // A set is walked in the order of insertion, what is added on the way included.
  for (const callee of reached) {
    for (const node of nodesIn(callee)) {
      const inner = functions.get(keyOf(node.domain, node.opType, node.overload));
      if (inner) reached.add(inner);
    }
  }
  return reached;
}

/** Gives the model the operator sets of the function, or tells which one it has in another version. */
function importOpsets(model: Model, callee: FunctionProto): string | undefined {
  const imports = (callee.opsetImport ?? []).map(
    (each) => [normalDomain(each.domain), Number(each.version ?? 0)] as const,
  );
  for (const [domain, version] of imports) {
    const own = model.opsets.get(domain);
    if (own !== undefined && own !== version)
      return `function '${callee.name}' is written in opset ${version}${domain && ` of '${domain}'`}, the model in opset ${own}`;
  }
  for (const [domain, version] of imports) model.opsets.set(domain, version);
  return undefined;
}

/**
 * An If whose condition is constant always takes the same branch: the nodes and constants of that branch move to the place
 * of the If, and the other branch goes. Results keep the names they have outside; names from inside are made unique.
 */
export const constantIf: Pass = {
  name: 'constant-if',
  summary: 'an If with a constant condition is replaced by the branch that it takes',
  run(model, context) {
    let changed = false;
    for (const node of model.allNodes()) {
      const condition = node.is('If') ? node.constant(0) : undefined;
      if (!condition) continue;
      const label = node.label;
      const name = condition.data()[0] ? 'then_branch' : 'else_branch';
      const attribute = node.attributes.get(name);
      const reason = attribute?.kind === 'graph' ? obstacle(node, attribute.value) : `it has no ${name}`;
      if (reason !== undefined) {
        context.refused(label, reason);
        continue;
      }
      inline(node, name);
      context.applied([label]);
      changed = true;
    }
    // Nodes of two branches may share a name, those of one graph may not.
    if (changed) separateNodeNames(model);
    return changed;
  },
};

/** Why the branch cannot stand outside. */
function obstacle(node: Node, branch: Graph): string | undefined {
  if (branch.inputs.length > 0) return 'its branch has inputs';
  for (const value of branch.values.values()) {
    if (!value.producer && !value.initializer) return `'${value.name}' in its branch is a sparse constant`;
  }
  const taken = new Set<Value>();
  for (const [i, inner] of branch.outputs.entries()) {
    const outer = node.output(i);
    if (!outer) continue;
    // A value has one name: a result that is another graph's, or two results that are one, cannot both keep theirs.
    if (outer.isOutput && (inner.graph !== branch || taken.has(inner))) {
      return `'${outer.name}' is a graph output and only another name for '${inner.name}'`;
    }
    if (inner.graph === branch) taken.add(inner);
  }
  return undefined;
}

function inline(node: Node, name: string): void {
  const branch = (node.attributes.get(name) as { value: Graph }).value;
  const graph = node.graph!;
  const outputs = [...branch.outputs];
  const results = [...node.outputs];
  // Detached, so that removing the If leaves alone what moved out of it.
  node.attributes.delete(name);
  for (const inner of outputs) inner.outputOf.delete(branch);
  results.forEach((_, i) => node.setOutput(i, null));

  const outside = new Map<Value, Value>();
  outputs.forEach((inner, i) => {
    const outer = results[i];
    if (!outer || !inner.producer || inner.graph !== branch || outside.has(inner)) return;
    outside.set(inner, outer);
    if (!outer.info && inner.info) outer.info = { ...inner.info, name: outer.name };
  });
  const inside = [...branch.values.values()];
  for (const inner of inside) {
    if (!outside.has(inner)) outside.set(inner, moved(inner, graph));
  }
  for (const each of [...branch.nodes()]) {
    each.outputs.forEach((inner, i) => each.setOutput(i, inner && outside.get(inner)!));
    each.graph = undefined;
    graph.insertBefore(each, node);
  }
  for (const inner of inside) graph.replaceUses(inner, outside.get(inner)!);
  outputs.forEach((inner, i) => {
    const outer = results[i];
    const value = outside.get(inner) ?? inner;
    if (!outer || outer === value) return;
    if (outer.isOutput) makeConstant(outer, value.constant!);
    else {
      graph.replaceUses(outer, value);
      graph.removeValue(outer);
    }
  });
  graph.remove(node);
}

/** The same value in another graph, under the same name if that is free there. */
function moved(inner: Value, graph: Graph): Value {
  if (inner.initializer) return graph.addInitializer(inner.initializer);
  const value = graph.addValue(inner.name);
  if (inner.info) value.info = { ...inner.info, name: value.name };
  return value;
}
