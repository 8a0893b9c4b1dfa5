/**
 * What --optimize changes in a plan. latency (the default): int8 where it pays, which is what targets and neighbours decide.
 * accuracy: the operators with weights nearest to the inputs and to the outputs stay float, because nothing averages the error of
 * the first, and nothing but the result comes after the last. size: what stays float for its speed or its operator keeps its
 * weights in 8 bits all the same, dequantized when it runs.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import type { Candidate } from './candidates.ts';
import type { StoredWeight } from './plan.ts';
import type { NodeSelection } from './selection.ts';

/** What --optimize may be. */
export type Goal = 'latency' | 'accuracy' | 'size';

const kept = {
  first: 'it is the first operator with weights after an input: --optimize accuracy keeps it float',
  last: 'it is the last operator with weights before an output: --optimize accuracy keeps it float',
};

const weighted = (node: Node): boolean => specOf(node)?.weight !== undefined;

/** Finds the operators with weights before which there is none. @param order nodes in dependency order */
export function firstWeighted(order: readonly Node[]): Set<Node> {
  const behind = new Set<Value>();
  const first = new Set<Node>();
  for (const node of order) {
    const after = node.inputs.some((value) => value !== null && behind.has(value));
    if (weighted(node) && !after) first.add(node);
    if (weighted(node) || after) for (const output of node.outputs) if (output) behind.add(output);
  }
  return first;
}

/**
 * Takes first and last operators with weights from the candidates, unless --include names them, and says why.
 * @param order nodes in dependency order
 */
export function keepEnds(
  order: readonly Node[],
  byNode: Map<Node, Candidate>,
  selection: NodeSelection,
  reasons: Map<Node, string>,
): void {
  const first = firstWeighted(order);
  const before = new Set<Value>();
  const last = new Set<Node>();
  for (const node of [...order].reverse()) {
    const leads = node.outputs.some((value) => value !== null && before.has(value));
    if (weighted(node) && !leads) last.add(node);
    if (weighted(node) || leads) for (const input of node.inputs) if (input) before.add(input);
  }
  for (const node of [...byNode.keys()]) {
    const reason = first.has(node) ? kept.first : last.has(node) ? kept.last : undefined;
    if (reason === undefined || !weighted(node) || selection.wanted(node)) continue;
    byNode.delete(node);
    reasons.set(node, reason);
  }
}

/** Below this a scale per channel and a node cost what the codes save. */
const leastStored = 1024;

/** Finds the weights of nodes that stay float for another reason than the user's own choice. */
export function storedWeights(
  order: readonly Node[],
  int8: ReadonlyMap<Node, Candidate>,
  selection: NodeSelection,
  perChannel: (node: Node) => boolean,
): StoredWeight[] {
  return order.flatMap((node) => {
    const tensor = node.output()?.name;
    const spec = specOf(node);
    if (int8.has(node) || !spec?.weight || tensor === undefined || selection.reason(node) !== undefined) return [];
    const constant = node.constant(spec.weight(node, 2).index);
    if (!constant || constant.type.name !== 'float32' || constant.size < leastStored) return [];
    const { index, axis, layout } = spec.weight(node, constant.dims.length);
    const weight = {
      name: node.input(index)!.name,
      ...(axis === undefined || !perChannel(node) ? {} : { axis }),
      ...(layout === undefined ? {} : { layout }),
    };
    return [{ tensor, input: index, weight }];
  });
}
