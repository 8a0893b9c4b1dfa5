/** First step of planning: each node by itself. Which could run in int8, and which limiting activations it takes in. */
import type { Target } from '../backends/targets/target.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { floatReason } from '../ops/float.ts';
import { specOf } from '../ops/index.ts';
import type { QuantizeRule } from '../ops/op.ts';
import type { Keeper } from './keep.ts';
import type { NodeSelection } from './selection.ts';
import { spectralReason } from './spectrum.ts';
import { own } from '../graph/names.ts';

export interface Candidate {
  readonly node: Node;
  readonly rule: QuantizeRule;
  /** Relu and Clip nodes behind it that belong to its region, in order. */
  readonly clamps: readonly Node[];
  /** The region's outputs: the last clamp's, or the node's own. */
  readonly outputs: readonly Value[];
}

export interface Candidates {
  readonly byNode: Map<Node, Candidate>;
  /** Clamps that belong to another node's region. */
  readonly absorbed: ReadonlySet<Node>;
  /** Why a node is no candidate; later steps add theirs. */
  readonly reasons: Map<Node, string>;
}

/**
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

/** Limiting activations that are the only reader of what stands before them. */
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
