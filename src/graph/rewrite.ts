/** Rewriting that keeps the model's face: names and types of graph inputs and outputs never change. */
import type { Node } from './node.ts';
import type { Value } from './value.ts';

/**
 * Every read of `value` becomes a read of `replacement`. If `value` is a graph output, the replacement takes over its name and
 * declared type. Returns false, with nothing changed, when the replacement cannot take that name: it is a graph input, a
 * constant, an output itself, or lives in another graph.
 */
export function forward(value: Value, replacement: Value): boolean {
  const { graph } = value;
  if (value.isOutput) {
    const free = replacement.producer && !replacement.isInput && !replacement.isOutput && replacement.graph === graph;
    if (!free) return false;
    const declared = value.info;
    graph.swapNames(value, replacement);
    if (declared) replacement.info = declared;
    value.info = undefined;
  }
  graph.replaceUses(value, replacement);
  return true;
}

/** Removes `node`, whose single output is replaced by `replacement`; see forward for when this is refused. */
export function bypass(node: Node, replacement: Value): boolean {
  const output = node.output();
  if (!output || !node.graph || !forward(output, replacement)) return false;
  node.graph.remove(node);
  return true;
}

/** `replacement`, a node not yet placed and without outputs, takes the place and the outputs of `node`, which leaves the graph. */
export function replaceNode(node: Node, replacement: Node): void {
  const graph = node.graph!;
  graph.insertBefore(replacement, node);
  const outputs = [...node.outputs];
  outputs.forEach((value, index) => {
    node.setOutput(index, null);
    replacement.setOutput(index, value);
  });
  graph.remove(node);
}
