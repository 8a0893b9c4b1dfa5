/**
 * ONNX lets two bodies, such as the branches of an If, use the same tensor names. Plans, ranges, state files and reports know
 * a tensor by its name alone, so every name gets one owner: the outermost graph, then the first body, keeps it. Two nodes of
 * one graph must not share a name either, but in files they do.
 */
import { separateNodeNames } from '../graph/names.ts';
import type { Value } from '../graph/value.ts';
import type { Pass } from './pass.ts';

export const uniqueNames: Pass = {
  name: 'unique-names',
  summary: 'nodes, and tensors of different bodies of control flow, get different names',
  run(model, context) {
    const taken = new Set<string>();
    const nodes = separateNodeNames(model);
    for (const node of nodes) context.applied([node.label]);
    let changed = nodes.length > 0;
    for (const each of model.graph.graphs()) {
      for (const value of [...each.values.values()]) {
        if (taken.has(value.name) && isRenamable(value)) {
          each.rename(value, value.name);
          context.applied([value.producer?.label ?? value.name]);
          changed = true;
        }
        taken.add(value.name);
      }
    }
    return changed;
  },
};

/** A sparse initializer carries its name where the graph does not look. */
function isRenamable({ producer, isInput, initializer }: Value): boolean {
  return producer !== undefined || isInput || initializer !== undefined;
}
