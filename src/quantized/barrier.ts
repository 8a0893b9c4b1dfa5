/**
 * Keeps float what was left float. onnxruntime 1.30 quantizes the float weights of any Conv, ConvTranspose or Gemm that stands
 * between a DequantizeLinear and a QuantizeLinear, runs any operator that has an integer kernel there on codes, a product of two
 * dequantized operands in any case, and moves quantizers through what only moves values. That would undo every --exclude and every
 * preference of a target. A Sum of one operand is the identity, is no pattern of its optimizer, and runs in its blocked layout: put
 * between the node and the quantizer it breaks the pattern at next to no cost.
 *
 * These are the patterns that are known; pipeline's keep-float holds the graph that onnxruntime itself makes against the plan
 * (compare/placement.ts) and puts barriers until no float node is drawn into int8, or warns. What only moves codes may do so, unless the
 * user named it. Between a MatMul and a float Add a barrier keeps the integer kernel: onnxruntime would make a float Gemm of the two.
 * Pad it does not fuse: there the codes themselves are padded (`moveCodes`).
 */
import type { Graph } from '../graph/graph.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import { isQuantizedAlready } from '../quantizable/kept-nodes.ts';
import type { QdqPlan } from '../quantizable/plan.ts';

/** Which nodes need no barrier, and which need a stricter one. */
export interface Guarded {
  /** Nodes that are meant to work on codes; undefined: all but those with float weights. */
  readonly int8?: ReadonlySet<Node>;
  /** Nodes that the user left float: they do not work on codes even where they only move them. */
  readonly named?: ReadonlySet<Node>;
}

/** Notes what is known of the nodes before quantizers are written; the function that it returns puts the barriers once they are. */
export function guardOf(model: Model, plan: QdqPlan): (int8: Iterable<Node>) => void {
  const find = valueFinder(model);
  const before = [...model.allNodes()].filter(isQuantizedAlready);
  const left = plan.float.filter((each) => each.named && each.tensor !== undefined);
  const named = new Set(left.map(({ tensor }) => find(tensor!)!.producer!));
  return (int8) => {
    const guarded = { int8: new Set([...int8, ...before]), named };
    for (const graph of model.graph.graphs()) guardFloatNodes(graph, guarded);
    for (const node of guarded.int8) guardProduct(node);
  };
}

/**
 * The other way round: onnxruntime makes a float Gemm of a MatMul and the Add behind it, before it looks for products of codes. A barrier
 * between the two leaves the MatMul a kernel that multiplies codes and writes float, where to quantize its result would cost accuracy.
 */
function guardProduct(node: Node): void {
  const product = node.is('MatMul') ? node.output()! : undefined;
  const add = product?.soleUser;
  if (!add?.is('Add') || add.graph !== node.graph) return;
  const index = add.inputs.indexOf(product!);
  add.setInput(index, barrierOn(product!, node));
}

/** Puts barriers wherever onnxruntime is known to draw a float node into int8. Returns the labels of those nodes. */
export function guardFloatNodes(graph: Graph, { int8, named }: Guarded = {}): string[] {
  const guarded: string[] = [];
  for (const node of graph.nodes()) {
    if (int8?.has(node) || isQuantizer(node)) continue;
    let placed: boolean;
    if (hasFloatWeights(node)) placed = guardBehind(node);
    else if (int8 === undefined) placed = false;
    else if (named?.has(node)) placed = guardNamed(node);
    else if (isProduct(node)) placed = operandsFromCodes(node) && guardBefore(node);
    else placed = hasIntegerKernel(node) && guardBehind(node);
    if (placed) guarded.push(node.label);
  }
  return guarded;
}

/**
 * Once more, for a node that onnxruntime was seen to draw into int8 all the same.
 * @param writesFloat the integer kernel gives float: no quantizer behind it has to do with that
 * @returns false when there is no place left for a barrier
 */
export function guardDrawn(node: Node, writesFloat: boolean): boolean {
  return (!writesFloat && guardBehind(node, allReaders)) || guardBefore(node);
}

/**
 * Keeps one node float whose operands come from codes: behind a barrier they are no pattern of an integer kernel. Its constants stay as
 * they are, unless nothing else comes from codes.
 */
export function keepFloat(node: Node): void {
  const dequantized = node.inputs.flatMap((value, index) => (value?.producer?.is('DequantizeLinear') ? [index] : []));
  const computed = dequantized.filter((index) => !isConstant(node.input(index)!));
  for (const index of computed.length > 0 ? computed : dequantized)
    node.setInput(index, barrierOn(node.input(index)!, node));
}

/** What moves values runs on codes as soon as there are some on one side. */
function guardNamed(node: Node): boolean {
  const behind = !isProduct(node) && guardBehind(node);
  const before = (movesValues(node) || isProduct(node)) && operandsFromCodes(node) && guardBefore(node);
  return behind || before;
}

/** Puts a barrier before the quantizers that onnxruntime could join to the node. False when there are none. */
function guardBehind(node: Node, readersOf: (value: Value) => readonly Node[] = onlyReader): boolean {
  const guarded = new Map<Value, Value>();
  for (const quantize of quantizersBehind(node, readersOf)) {
    const value = quantize.input(0)!;
    if (!guarded.has(value)) guarded.set(value, barrierOn(value, node));
    quantize.setInput(0, guarded.get(value)!);
  }
  return guarded.size > 0;
}

/** Puts a barrier between the node and an operand that comes from codes: one float operand is enough. False when there is none. */
function guardBefore(node: Node): boolean {
  const index = node.inputs.findIndex((value) => value !== null && comesFromCodes(value, node.graph!));
  if (index < 0) return false;
  node.setInput(index, barrierOn(node.input(index)!, node));
  return true;
}

function barrierOn(value: Value, node: Node): Value {
  const graph = node.graph!;
  const barrier = graph.makeNode('Sum', [value], { outputs: [`${value.name}_float`] });
  barrier.name = barrier.output()!.name;
  if (value.producer?.graph === graph) graph.insertAfter(barrier, value.producer);
  else graph.insertBefore(barrier, node);
  return barrier.output()!;
}

const isQuantizer = (node: Node): boolean => node.is('QuantizeLinear', 'DequantizeLinear');

function hasFloatWeights(node: Node): boolean {
  const input = node.input(0);
  return (
    specOf(node)?.weight !== undefined &&
    node.constant(1) !== undefined &&
    input !== undefined &&
    comesFromCodes(input, node.graph!)
  );
}

/** Whether it multiplies two operands that are computed: there is a kernel that writes float. */
function isProduct(node: Node): boolean {
  return node.is('MatMul', 'Gemm') && node.constant(1) === undefined;
}

/** Whether the operator makes other values, all of whose computed operands come from codes. What only moves values loses nothing there. */
function hasIntegerKernel(node: Node): boolean {
  const rule = specOf(node)?.quantize?.(node);
  return rule !== undefined && typeof rule !== 'string' && rule.output.kind !== 'share' && operandsFromCodes(node);
}

function operandsFromCodes(node: Node): boolean {
  const rule = specOf(node)?.quantize?.(node);
  const indices = rule !== undefined && typeof rule !== 'string' ? rule.operands.map(({ index }) => index) : [0];
  const computed = indices.flatMap((index) => node.input(index) ?? []).filter((value) => !isConstant(value));
  return computed.length > 0 && computed.every((value) => comesFromCodes(value, node.graph!));
}

/** Whether it is a constant, its codes, or what is made of it by quantizers alone. */
function isConstant({ isConstant: stored, producer }: Value): boolean {
  const quantizer = producer?.is('QuantizeLinear', 'DequantizeLinear', 'Clip') ? producer.input(0) : undefined;
  return stored || (quantizer !== undefined && isConstant(quantizer));
}

function movesValues(node: Node): boolean {
  const rule = specOf(node)?.quantize?.(node);
  return rule !== undefined && typeof rule !== 'string' && rule.output.kind === 'share';
}

/** Whether it comes from a DequantizeLinear of what was computed, directly or through what only moves values: there onnxruntime takes it forward. */
function comesFromCodes({ producer }: Value, graph: Graph): boolean {
  if (!producer || producer.graph !== graph) return false;
  if (producer.is('DequantizeLinear')) return !isConstant(producer.output()!);
  return movesValues(producer) && comesFromCodes(producer.input(0)!, graph);
}

/**
 * The quantizers that read the node's results, or what stands between: a Relu or Clip, which would be removed, or an operator that
 * only moves values, through which onnxruntime takes the quantizer back to the node.
 */
function quantizersBehind(node: Node, readersOf: (value: Value) => readonly Node[]): Node[] {
  return node.outputs.flatMap((value) =>
    (value ? readersOf(value) : []).flatMap((user) => {
      if (user.graph !== node.graph) return [];
      if (user.is('QuantizeLinear')) return [user];
      return specOf(user)?.clamp || movesValues(user) ? quantizersBehind(user, readersOf) : [];
    }),
  );
}

const allReaders = ({ users }: Value): Node[] => [...users.keys()];

/** onnxruntime joins what has one reader. Weights it quantizes even where the result is an output too. */
const onlyReader = ({ users }: Value): Node[] => (users.size === 1 ? [...users.keys()] : []);
