/**
 * Formats that rewrite node by node (dynamic, weight-only): a rule per operator says why a node cannot be rewritten, and
 * rewrites it. No activation is observed, so a plan is a list of nodes.
 */
import { planErrors } from '../errors/quantizable.ts';
import { copyModel } from '../graph/from-proto.ts';
import { elementTypes } from '../graph/element-types.ts';
import type { Graph } from '../graph/graph.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { removeDead, sortNodes, topologicalDeep } from '../graph/walk.ts';
import type { ByteSource } from '../onnx/messages.ts';
import { Tensor } from '../onnx/tensor.ts';
import { matrixOf } from '../ops/embedding.ts';
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { loneRegion, type NodePlan, type PlannedFloat, type RegionPlan } from '../quantizable/plan.ts';
import type { PlanRequest } from '../quantizable/planner.ts';
import { plannedFloat, selectNodes } from '../quantizable/selection.ts';
import type { Quantized } from './format.ts';

/** How nodes of some operators are rewritten. */
export interface NodeRule<Settings> {
  readonly types: readonly string[];
  /** Default: ai.onnx. */
  readonly domain?: string;
  /** Positions of the weights. */
  readonly weights: readonly number[];
  /** Its weights may be matrices behind a Transpose (matrixOf). */
  readonly turned?: true;
  /** Why the node stays as it is unless --include names it; absent: it is quantized. */
  optional?(node: Node): string | undefined;
  /** Why the node cannot be rewritten, or undefined. Its weights are constant float32 (see `weights`). */
  refuse(node: Node, settings: Settings): string | undefined;
  emit(node: Node, writer: Writer<Settings>): void;
}

/** What a rule writes with. Constants of one key are written once, however many nodes read them. */
export interface Writer<Settings> {
  readonly settings: Settings;
  /** Operator types of the nodes that are rewritten and read this weight. */
  readersOf(weight: Value): readonly string[];
  find(name: string): Value | undefined;
  constant(near: Value, key: string, make: () => Constant): Value;
  /** Several constants of one computation. */
  constants(near: Value, keys: readonly string[], make: () => readonly (Constant | undefined)[]): (Value | null)[];
}

/** A constant to be written. */
export interface Constant {
  readonly type: DataTypeName;
  readonly dims: readonly number[];
  /** A source is asked for its bytes when they are needed: constants of any size. */
  readonly data: TypedArray | ByteSource;
}

/** Plans the nodes that have a rule. @throws PLAN_NO_MATCH, PLAN_NOTHING */
export function planNodes<Settings>(
  model: Model,
  request: PlanRequest,
  rules: readonly NodeRule<Settings>[],
  settings: Settings,
  format: string,
): NodePlan {
  const selection = selectNodes(model, request);
  const types = elementTypes(model);
  const regions: RegionPlan[] = [];
  const float: PlannedFloat[] = [];
  const refusals = new Set<string>();
  const onRequest = new Set<string>();
  for (const node of topologicalDeep(model.graph)) {
    if (selection.foreign(node)) continue;
    const rule = ruleOf(node, rules);
    const reason = ((): string | undefined => {
      if (!rule) return `the ${format} format leaves ${node.opType} as it is`;
      const kept = selection.reason(node);
      if (kept !== undefined) return kept;
      const refused = obstacle(node, rule, types) ?? rule.refuse(node, settings);
      if (refused !== undefined) refusals.add(refused);
      if (refused !== undefined || selection.wanted(node)) return refused;
      const declined = rule.optional?.(node);
      if (declined !== undefined) onRequest.add(node.opType);
      return declined;
    })();
    if (reason !== undefined) {
      if (!node.is('QuantizeLinear', 'DequantizeLinear')) float.push(plannedFloat(node, reason, selection));
      continue;
    }
    const input = rule!.weights[0]!;
    regions.push(loneRegion(node, { name: (matrixOf(node, input)?.value ?? node.input(input)!).name, input }));
  }
  if (regions.length === 0 && !request.mayBeEmpty) {
    throw planErrors.noNodes(
      format,
      rules.flatMap(({ types: t }) => t),
      [...refusals].slice(0, 3),
      [...onRequest][0],
    );
  }
  const { target, scheme } = request;
  return { kind: 'nodes', target: target.name, scheme, tables: target.encoding.tables, regions, float };
}

/** Rewrites the nodes of the plan, each by its rule. The given model is left as it is. */
export function emitNodes<Settings>(
  source: Model,
  plan: NodePlan,
  rules: readonly NodeRule<Settings>[],
  settings: Settings,
): Quantized {
  const model = copyModel(source);
  const find = valueFinder(model);
  const nodes = plan.regions.map(({ tensor }) => find(tensor)!.producer!);
  const readers = new Map<string, string[]>();
  for (const { weight, op } of plan.regions)
    if (weight) readers.set(weight.name, [...(readers.get(weight.name) ?? []), op]);
  const writer = writerFor(settings, readers, find);
  for (const node of nodes) ruleOf(node, rules)!.emit(node, writer);
  for (const graph of model.graph.graphs()) {
    for (const node of graph.nodes())
      if (node.domain !== '' && !model.opsets.has(node.domain)) model.opsets.set(node.domain, 1);
  }
  removeDead(model.graph);
  sortNodes(model.graph);
  // Activations carry no quantizers here, and packed weights no DequantizeLinear that could be compared.
  return { model, activations: new Map(), repaired: [], origins: new Map() };
}

function writerFor<Settings>(
  settings: Settings,
  readers: ReadonlyMap<string, readonly string[]>,
  find: Writer<Settings>['find'],
): Writer<Settings> {
  const written = new Map<string, Value | null>();
  const constants: Writer<Settings>['constants'] = (near, keys, make) => {
    const names = keys.map((key) => `${near.name}_${key}`);
    if (!written.has(names[0]!)) {
      make().forEach((made, index) => written.set(names[index]!, made ? place(near.graph, names[index]!, made) : null));
    }
    return names.map((name) => written.get(name) ?? null);
  };
  return {
    settings,
    readersOf: ({ name }) => readers.get(name) ?? [],
    find,
    constants,
    constant: (near, key, make) => constants(near, [key], () => [make()])[0]!,
  };
}

function place(graph: Graph, name: string, { type, dims, data }: Constant): Value {
  const lazy = 'read' in data;
  return graph.addInitializer(lazy ? Tensor.lazy(name, type, dims, data) : Tensor.of(name, type, [...dims], data));
}

function ruleOf<Settings>(node: Node, rules: readonly NodeRule<Settings>[]): NodeRule<Settings> | undefined {
  return rules.find(({ types, domain = '' }) => domain === node.domain && types.includes(node.opType));
}

/** What keeps any node from being rewritten: weights that are computed, sparse, or of another type. */
function obstacle<Settings>(
  node: Node,
  { weights, turned }: NodeRule<Settings>,
  types: ReadonlyMap<Value, DataTypeName>,
): string | undefined {
  for (const index of weights) {
    const value = (turned && matrixOf(node, index)?.value) ?? node.input(index);
    if (!value) return `it has no input ${index}`;
    if (value.producer?.is('DequantizeLinear'))
      return `already quantized: its input '${value.name}' comes from a DequantizeLinear`;
    if (!value.constant) {
      const sparse = !value.producer && !value.isInput && !value.initializer;
      const left = node.is('MatMul', 'Gemm') && index === 1 ? node.input(0) : undefined;
      if (left?.constant)
        return `its constant '${left.name}' is the left operand, and the kernels of this format take weights on the right only`;
      return sparse
        ? `its constant '${value.name}' is stored sparse, which is kept`
        : 'its weight is computed at run time';
    }
    if (value.constant.type.name !== 'float32')
      return `its weight '${value.name}' is ${value.constant.type.name}, not float32`;
  }
  const other = node.inputs.find(
    (value) => value && (types.get(value) === 'float16' || types.get(value) === 'float64'),
  );
  return other ? `its input '${other.name}' is ${types.get(other)}, not float32` : undefined;
}
