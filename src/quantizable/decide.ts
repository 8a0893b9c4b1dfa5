/**
 * Which candidates run in int8. A node between anchors follows when an int8 node feeds it and an int8 node wants its result:
 * first backwards for the wants, then forwards for the feeds.
 */
import type { Placement } from '../backends/targets/target.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Candidate } from './candidates.ts';

/** Values that some node would read as codes if it runs in int8: found backwards, through nodes that only follow. */
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
 * Forwards: anchors are int8; followers are when an int8 node feeds them and their result is wanted, or everywhere.
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
