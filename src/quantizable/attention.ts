/**
 * Attention as it is written: a product of queries and keys, a scale (Mul, Div, or the square root of it on both sides before), masks
 * added or chosen, Softmax, a guard for rows without anything, a product with the values. Where its Softmax stays float, so does what
 * stands between the two products, all for one reason.
 */
import type { Node } from '../graph/node.ts';
import type { Masks } from './masked.ts';

/** What exporters put between the Softmax and the values. */
const behind = ['Where', 'IsNaN', 'Not', 'Cast', 'Identity', 'Dropout', 'Mul', 'Slice', 'Reshape', 'Transpose'];

function isProduct(node: Node | undefined): boolean {
  return node?.is('MatMul') === true && node.inputs.every((value) => value && !value.isConstant);
}

/** The Softmax of each node that stands between the products of an attention, that of the Softmax itself among them. */
export function attentionNodes(order: readonly Node[], masks: Masks): ReadonlyMap<Node, Node> {
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
