/**
 * Which nodes run in int8, in two steps. First each node by itself: which could, and which limiting activations it takes in. Then by
 * neighbours: a node between anchors follows when an int8 node feeds it and an int8 node wants its result; the wants are found
 * backwards, the feeds forwards.
 */
import type { Placement, Target } from '../backends/targets/target.ts';
import { own } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { floatReason } from '../ops/float.ts';
import { specOf } from '../ops/index.ts';
import type { QuantizeRule } from '../ops/op.ts';
import { spectralReason } from './float-for-accuracy.ts';
import type { Keeper } from './kept-nodes.ts';
import type { NodeSelection } from './selection.ts';

/** A node that could run in int8. */
export interface Candidate {
  readonly node: Node;
  readonly rule: QuantizeRule;
  /** Relu and Clip nodes behind it that belong to its region, in order. */
  readonly clamps: readonly Node[];
  /** The region's outputs: the last clamp's, or the node's own. */
  readonly outputs: readonly Value[];
}

/** The candidates of a model. */
interface Candidates {
  readonly byNode: Map<Node, Candidate>;
  /** Clamps that belong to another node's region. */
  readonly absorbed: ReadonlySet<Node>;
  /** Why a node is no candidate; later steps add theirs. */
  readonly reasons: Map<Node, string>;
}

/**
 * Finds the nodes that could run in int8.
 * @param nodes in dependency order
 * @param better why nodes are better left float than run in int8
 */
export function findCandidates(
  nodes: readonly Node[],
  target: Target,
  selection: NodeSelection,
  keeper: Keeper,
  better: ReadonlyMap<Node, string>,
): Candidates {
  const byNode = new Map<Node, Candidate>();
  const absorbed = new Set<Node>();
  const reasons = new Map<Node, string>();
  for (const node of nodes) {
    if (absorbed.has(node)) continue;
    const rule = ruleOf(node, target, selection, keeper, better.get(node));
    if (typeof rule === 'string') {
      reasons.set(node, rule);
      continue;
    }
    const clamps = rule.output.kind === 'observe' ? clampsBehind(node, selection) : [];
    for (const clamp of clamps) absorbed.add(clamp);
    const last = clamps[clamps.length - 1] ?? node;
    const outputs = last.outputs.filter((value) => value !== null);
    const candidate = { node, rule, clamps, outputs };
    const kept = keeper.region(candidate);
    if (kept === undefined) byNode.set(node, candidate);
    else reasons.set(node, kept);
  }
  return { byNode, absorbed, reasons };
}

/** The node's int8 form, or why it has none. */
function ruleOf(
  node: Node,
  target: Target,
  selection: NodeSelection,
  keeper: Keeper,
  better: string | undefined,
): QuantizeRule | string {
  const spec = specOf(node);
  if (!spec?.quantize) {
    const unknown =
      node.domain === ''
        ? `qdq has no int8 form of ${node.opType}`
        : `operators of domain '${node.domain}' stay as they are`;
    return floatReason(node) ?? unknown;
  }
  const kept = selection.reason(node) ?? keeper.node(node);
  if (kept !== undefined) return kept;
  if (target.operators && !target.operators.includes(node.opType))
    return `${target.name} does not run ${node.opType} in int8`;
  const preference = own(target.preferFloat, node.opType) ?? (spec.weight && spectralReason(node)) ?? better;
  if (preference !== undefined && !selection.wanted(node)) return preference;
  return spec.quantize(node);
}

/** Finds the limiting activations behind a node that are the only reader of what stands before them. */
function clampsBehind(node: Node, selection: NodeSelection): Node[] {
  const clamps: Node[] = [];
  let value = node.output();
  while (value) {
    const user = value.soleUser;
    if (!user || user.graph !== node.graph || user.input(0) !== value) break;
    if (!specOf(user)?.clamp?.(user) || selection.reason(user) !== undefined || selection.apart(user, node)) break;
    clamps.push(user);
    value = user.output();
  }
  return clamps;
}

/** Finds backwards the values that some node would read as codes if it runs in int8, through nodes that only follow. */
export function demands(
  order: readonly Node[],
  byNode: ReadonlyMap<Node, Candidate>,
  followers: Placement['followers'],
): Set<Value> {
  const wanted = new Set<Value>();
  for (const node of [...order].reverse()) {
    const candidate = byNode.get(node);
    if (!candidate) continue;
    const depends = candidate.rule.kind === 'follow' && followers === 'between';
    if (depends && !candidate.outputs.some((output) => wanted.has(output))) continue;
    for (const operand of candidate.rule.operands)
      if (operand.role === 'activation') wanted.add(node.input(operand.index)!);
  }
  return wanted;
}

/**
 * Decides forwards: anchors are int8; followers are when an int8 node feeds them and their result is wanted, or everywhere.
 * Adds to `reasons` why the others are not.
 */
export function decide(
  order: readonly Node[],
  byNode: ReadonlyMap<Node, Candidate>,
  wanted: ReadonlySet<Value>,
  reasons: Map<Node, string>,
  followers: Placement['followers'],
): Map<Node, Candidate> {
  const int8 = new Map<Node, Candidate>();
  const codes = new Set<Value>();
  for (const node of order) {
    const candidate = byNode.get(node);
    if (!candidate) continue;
    const { rule, outputs } = candidate;
    if (rule.kind === 'follow' && followers === 'between') {
      const fed = rule.operands.some((operand) => codes.has(node.input(operand.index)!));
      const asked = outputs.some((output) => wanted.has(output));
      if (!fed || !asked) {
        reasons.set(node, fed ? 'its result is only read in float' : 'no int8 node feeds it');
        continue;
      }
    }
    if (followers === 'between' && addsBias(node, candidate, int8)) {
      reasons.set(node, biasReason);
      for (const output of outputs) codes.add(output);
      continue;
    }
    int8.set(node, candidate);
    for (const output of outputs) if (wanted.has(output) || !rule.floatOutput) codes.add(output);
  }
  return int8;
}

const biasReason =
  'it adds a bias to a product that writes float: their sum is rounded to codes once, not the product before it, too';

/** Whether the node adds a constant to a product that only it reads. What it makes is quantized behind it, where codes are wanted. */
function addsBias(node: Node, { rule }: Candidate, int8: ReadonlyMap<Node, Candidate>): boolean {
  if (!rule.sum) return false;
  const [computed, ...others] = rule.operands
    .map(({ index }) => node.input(index)!)
    .filter((value) => !value.isConstant);
  const product = others.length === 0 && computed?.soleUser === node ? computed.producer : undefined;
  const own = product && int8.get(product)?.rule;
  return own?.kind === 'anchor' && own.floatOutput === true;
}
