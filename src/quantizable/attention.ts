/**
 * Attention as it is written: a product of queries and keys, a scale (Mul, Div, or the square root of it on both sides before), masks
 * added or chosen, Softmax, a guard for rows without anything, a product with the values. Where its Softmax stays float, so does what
 * stands between the two products, all for one reason.
 *
 * Scores and the masks that are laid over them end in a Softmax and nowhere else. Where Softmax gives 0 it gives 0 for anything lower
 * too, so that of such a tensor only the range counts in which it does not (calibrate/counted-elements.ts), and a mask of -1e4 or minus infinity
 * takes no codes away. Here: through which operators a bound goes, and which tensors have one.
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';
import type { Interval } from '../ops/op.ts';
import type { Candidate } from './candidates.ts';
import type { NodeSelection } from './selection.ts';

/** What exporters put between the Softmax and the values. */
const behind = ['Where', 'IsNaN', 'Not', 'Cast', 'Identity', 'Dropout', 'Mul', 'Slice', 'Reshape', 'Transpose'];

function isProduct(node: Node | undefined): boolean {
  return node?.is('MatMul') === true && node.inputs.every((value) => value && !value.isConstant);
}

/** Maps each node to its Softmax, for those that stand between the products of an attention, the Softmax itself among them. */
function attentionNodes(order: readonly Node[], masks: Masks): ReadonlyMap<Node, Node> {
  const found = new Map<Node, Node>();
  for (const softmax of order) {
    if (!softmax.is('Softmax')) continue;
    const before = walk(
      softmax,
      (node) => node.inputs.map((value) => value?.producer),
      (node) => node.outputs.every((value) => !value || masks.has(value)),
    );
    const after = walk(
      softmax,
      (node) => node.outputs.flatMap((value) => [...(value?.users.keys() ?? [])]),
      (node) => node.is(...behind),
    );
    if (!before.product || !after.product) continue;
    for (const node of [softmax, ...before.nodes, ...after.nodes]) if (!found.has(node)) found.set(node, softmax);
  }
  return found;
}

/** The nodes on the way, and whether it ends at a product of two activations. */
function walk(
  from: Node,
  next: (node: Node) => readonly (Node | undefined)[],
  through: (node: Node) => boolean,
): { nodes: Set<Node>; product: boolean } {
  const nodes = new Set<Node>();
  let product = false;
  const open = [...next(from)];
  while (open.length > 0) {
    const node = open.pop();
    if (!node || node === from || nodes.has(node)) continue;
    if (isProduct(node)) product = true;
    else if (through(node)) {
      nodes.add(node);
      open.push(...next(node));
    }
  }
  return { nodes, product };
}

/** What one reader makes of a tensor on its way to a Softmax. */
export type Step =
  /** It is the Softmax; `axis` may be negative. */
  | { readonly kind: 'softmax'; readonly axis: number }
  /** The elements stay what they are: moved, repeated, selected or limited. */
  | { readonly kind: 'same' }
  /** Added to another operand. `subtracted`: the other is taken away from it; `negated`: it is taken away from the other. */
  | { readonly kind: 'sum'; readonly other: Value; readonly subtracted: boolean; readonly negated: boolean }
  /** The product with another operand, or the quotient by it. */
  | { readonly kind: 'scale'; readonly by: Value; readonly divided: boolean };

/** Operators that move, select or limit elements of their first input. */
const movers = new Set([
  ...['Identity', 'Cast', 'Dropout', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Expand', 'Tile'],
  ...['Slice', 'Split', 'Gather', 'Clip', 'Trilu'],
]);
/** Operators that select elements of any input. */
const selectors = new Set(['Concat', 'Max', 'Min']);

/**
 * Says what a node makes of a tensor on its way to a Softmax.
 * @param index the position at which the node reads the tensor
 * @returns undefined where no bound goes through: what lies low before it may matter behind it
 */
export function stepOf(node: Node, index: number, opset: number): Step | undefined {
  if (node.domain !== '') return undefined;
  const { opType } = node;
  if (opType === 'Softmax') {
    // Below 13 all axes from this one on were one.
    const axis = node.int('axis', opset < 13 ? 1 : -1);
    return opset >= 13 || axis === -1 ? { kind: 'softmax', axis } : undefined;
  }
  if (movers.has(opType)) return index === 0 ? { kind: 'same' } : undefined;
  if (selectors.has(opType)) return { kind: 'same' };
  if (opType === 'Where') return index > 0 ? { kind: 'same' } : undefined;
  const other = node.input(1 - index);
  if (!other || other === node.input(index)) return undefined;
  if (opType === 'Add') return { kind: 'sum', other, subtracted: false, negated: false };
  if (opType === 'Sub') return { kind: 'sum', other, subtracted: index === 0, negated: index === 1 };
  if (opType === 'Mul') return { kind: 'scale', by: other, divided: false };
  if (opType === 'Div' && index === 0) return { kind: 'scale', by: other, divided: true };
  return undefined;
}

/** Finds the activations and constants of a graph all of whose readers lead to a Softmax of the same graph. */
export function softmaxOnly(graph: Graph, opset: number): ReadonlySet<Value> {
  const found = new Set<Value>();
  const look = (value: Value): void => {
    if (value.isOutput || value.users.size === 0) return;
    const leads = [...value.users.keys()].every(
      (user) =>
        user.graph === graph &&
        user.inputs.every((input, index) => {
          if (input !== value) return true;
          const step = stepOf(user, index, opset);
          return step && (step.kind === 'softmax' || user.outputs.every((output) => !output || found.has(output)));
        }),
    );
    if (leads) found.add(value);
  };
  for (const node of topological(graph).reverse()) for (const value of node.outputs) if (value) look(value);
  for (const value of graph.values.values()) if (!value.producer) look(value);
  return found;
}

/** How far the value of a constant can matter to what one of its readers writes in codes. */
export interface Reach {
  /** Tensor that the reader writes. */
  readonly result: string;
  /** Its other operand, where there is one. */
  readonly other?: string;
  /** same: the result is the constant. sum: with the other. difference: the other less the constant. rest: the constant less the other. */
  readonly form: 'same' | 'sum' | 'difference' | 'rest';
}

/** @param result what the region of the node writes. Undefined where it cannot be told. */
function reachOf(node: Node, index: number, opset: number, result: string): Reach | undefined {
  const step = stepOf(node, index, opset);
  if (step?.kind === 'same') return { result, form: 'same' };
  if (step?.kind !== 'sum') return undefined;
  const form = step.negated ? 'difference' : step.subtracted ? 'rest' : 'sum';
  return { result, other: step.other.name, form };
}

/** The limits of a constant beyond which the codes of the result saturate, whatever the other operand is. */
export function limitsOf({ form }: Reach, result: Interval, other: Interval): Interval {
  switch (form) {
    case 'same':
      return result;
    case 'sum':
      return { min: result.min - other.max, max: result.max - other.min };
    case 'difference':
      return { min: other.min - result.max, max: other.max - result.min };
    case 'rest':
      return { min: result.min + other.min, max: result.max + other.max };
  }
}

/** The scores and masks of a model. */
export interface Masks {
  /** Whether the range of the tensor leaves out what is masked. */
  has(value: Value): boolean;
  /** Whether an int8 node can read it, whatever is masked in it. */
  covers(node: Node, index: number): boolean;
  reach(node: Node, index: number, result: string): Reach | undefined;
}

/**
 * Finds them.
 * @param edges whether int8 nodes write codes, whose limits bound the constants among the masks
 */
export function masksOf(model: Model, edges: boolean): Masks {
  const found = [...model.graph.graphs()].map((graph) => softmaxOnly(graph, model.opset));
  const has = (value: Value): boolean => found.some((each) => each.has(value));
  const reach: Masks['reach'] = (node, index, result) =>
    edges && has(node.input(index)!) ? reachOf(node, index, model.opset, result) : undefined;
  return {
    has,
    covers: (node, index) => {
      const value = node.input(index)!;
      return (
        has(value) &&
        (!value.isConstant ||
          [...value.users.keys()].every((user) =>
            user.inputs.every((input, at) => input !== value || reach(user, at, '') !== undefined),
          ))
      );
    },
    reach,
  };
}

/** Adds to the reasons that the nodes of an attention whose Softmax stays float have one. What the user or the model itself says goes before. */
export function attentionReasons(
  order: readonly Node[],
  int8: ReadonlyMap<Node, Candidate>,
  masks: Masks,
  reasons: ReadonlyMap<Node, string>,
  selection: NodeSelection,
): ReadonlyMap<Node, string> {
  const all = new Map(reasons);
  for (const [node, softmax] of attentionNodes(order, masks)) {
    const reason = reasons.get(softmax);
    const own = reasons.get(node);
    const kept = selection.reason(node) ?? selection.reason(softmax);
    if (int8.has(node) || int8.has(softmax) || kept !== undefined) continue;
    if (reason === undefined || followsSoftmax.test(reason)) continue;
    if (own === undefined || node === softmax || followsSoftmax.test(own)) all.set(node, `attention: ${reason}`);
  }
  return all;
}

/** What is said of a node only because of its neighbours or its operator. */
const followsSoftmax =
  /^(no int8 node feeds it|its result is only read in float|qdq has no int8 form of|onnxruntime has no int8)/;
