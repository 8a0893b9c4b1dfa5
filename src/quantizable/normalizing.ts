/**
 * Normalizations that are written out and that no fusion makes one operator of, over the channels of images, say. Differences and
 * quotients would run between quantizers, where what stands around them does; a mean and a variance need more than 8 bits.
 */
import type { Node } from '../graph/node.ts';
import { centeredBy, rootMeanSquareOf } from '../intrinsic/normalization.ts';

/** Why the nodes of such normalizations are better left float. */
export function normalizingReasons(nodes: readonly Node[]): ReadonlyMap<Node, string> {
  const reasons = new Map<Node, string>();
  for (const node of nodes) {
    const core = rootMeanSquareOf(node);
    if (!core) continue;
    const reason = `it is a part of the normalization that ends in '${node.label}', and a mean and a variance need more than 8 bits`;
    for (const each of [...core.nodes, ...(centeredBy(core.value) ?? [])]) reasons.set(each, reason);
  }
  return reasons;
}
