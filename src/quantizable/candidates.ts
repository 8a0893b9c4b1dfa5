/** First step of planning: each node by itself. Which could run in int8, and which limiting activations it takes in. */
import type { Target } from '../backends/targets/target.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import type { QuantizeRule } from '../ops/op.ts';
import type { NodeSelection } from './selection.ts';

export interface Candidate {
  readonly node: Node;
  readonly rule: QuantizeRule;
  /** Relu and Clip nodes behind it that belong to its region, in order. */
  readonly clamps: readonly Node[];
  /** The region's outputs: the last clamp's, or the node's own. */
  readonly outputs: readonly Value[];
}

export interface Candidates {
  readonly byNode: ReadonlyMap<Node, Candidate>;
  /** Clamps that belong to another node's region. */
  readonly absorbed: ReadonlySet<Node>;
  /** Why a node has no int8 form. */
  readonly reasons: ReadonlyMap<Node, string>;
}

export function findCandidates(graph: Graph, target: Target, selection: NodeSelection): Candidates {
  const byNode = new Map<Node, Candidate>();
  const absorbed = new Set<Node>();
  const reasons = new Map<Node, string>();
  for (const node of graph.nodes()) {
    if (absorbed.has(node)) continue;
    const rule = ruleOf(node, target, selection);
    if (typeof rule === 'string') {
      reasons.set(node, rule);
      continue;
    }
    const clamps = rule.output.kind === 'observe' ? clampsBehind(node, selection) : [];
    for (const clamp of clamps) absorbed.add(clamp);
    const last = clamps[clamps.length - 1] ?? node;
    const outputs = last.outputs.filter((value) => value !== null);
    byNode.set(node, { node, rule, clamps, outputs });
  }
  return { byNode, absorbed, reasons };
}

function ruleOf(node: Node, target: Target, selection: NodeSelection): QuantizeRule | string {
  const spec = specOf(node);
  if (!spec)
    return node.domain === ''
      ? `qdq has no int8 form of ${node.opType}`
      : `operators of domain '${node.domain}' stay as they are`;
  const unselected = selection.reason(node);
  if (unselected !== undefined) return unselected;
  const preference = target.preferFloat[node.opType];
  if (preference !== undefined && !selection.wanted(node)) return preference;
  const rule = spec.quantize(node);
  if (typeof rule === 'string') return rule;
  const wrong = rule.operands.find(({ index }) => {
    const type = node.input(index)?.type;
    return type !== undefined && type !== 'float32';
  });
  if (wrong) return `its input '${node.input(wrong.index)!.name}' is ${node.input(wrong.index)!.type}, not float32`;
  return rule;
}

/** Limiting activations that are the only reader of what stands before them. */
function clampsBehind(node: Node, selection: NodeSelection): Node[] {
  const clamps: Node[] = [];
  let value = node.output();
  while (value) {
    const user = value.soleUser;
    if (!user || user.graph !== node.graph || user.input(0) !== value) break;
    if (!specOf(user)?.clamp?.(user) || selection.reason(user) !== undefined) break;
    clamps.push(user);
    value = user.output();
  }
  return clamps;
}
