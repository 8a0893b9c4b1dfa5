/**
 * Model-local functions are opaque to fusions and quantizers. One that holds something to fuse or to quantize (weights to
 * multiply, or a BatchNormalization, in itself or in a function it calls) is inlined where it is called; any other stays
 * a function.
 */
import { graphErrors } from '../errors/graph.ts';
import { inlineCall } from '../graph/inline.ts';
import { normalDomain, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { FunctionProto, GraphProto, NodeProto } from '../onnx/messages.ts';
import { weightedTypes } from '../ops/index.ts';
import type { Pass, PassContext } from './pass.ts';

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
