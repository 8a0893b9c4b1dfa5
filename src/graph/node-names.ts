/** Node names must be unique in their graph; onnxruntime refuses a model in which two are the same. */
import type { Model } from './model.ts';
import type { Node } from './node.ts';

/** Numbers the later ones of each name: `conv`, `conv_1`, … Returns the nodes that were renamed; unnamed nodes stay so. */
export function separateNodeNames(model: Model): Node[] {
  const renamed: Node[] = [];
  for (const graph of model.graph.graphs()) {
    const taken = new Set<string>();
    const later: Node[] = [];
    const next = new Map<string, number>();
    for (const node of graph.nodes()) {
      if (taken.has(node.name)) later.push(node);
      else if (node.name) taken.add(node.name);
    }
    for (const node of later) {
      const base = node.name;
      let n = next.get(base) ?? 1;
      while (taken.has(`${base}_${n}`)) n++;
      next.set(base, n + 1);
      node.name = `${base}_${n}`;
      taken.add(node.name);
      renamed.push(node);
    }
  }
  return renamed;
}
