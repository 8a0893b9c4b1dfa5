/**
 * An If whose condition is constant always takes the same branch: the nodes and constants of that branch move to the place
 * of the If, and the other branch goes. Results keep the names they have outside; names from inside are made unique.
 */
import type { Graph } from '../graph/graph.ts';
import { separateNodeNames } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { makeConstant } from './edit.ts';
import type { Pass } from './pass.ts';

export const constantIf: Pass = {
  name: 'constant-if',
  summary: 'an If with a constant condition is replaced by the branch that it takes',
  run(model, context) {
    let changed = false;
    for (const node of model.allNodes()) {
      const condition = node.is('If') ? node.constant(0) : undefined;
      if (!condition) continue;
      const label = node.label;
      const name = condition.data()[0] ? 'then_branch' : 'else_branch';
      const attribute = node.attributes.get(name);
      const reason = attribute?.kind === 'graph' ? obstacle(node, attribute.value) : `it has no ${name}`;
      if (reason !== undefined) {
        context.refused(label, reason);
        continue;
      }
      inline(node, name);
      context.applied([label]);
      changed = true;
    }
    // Nodes of two branches may share a name, those of one graph may not.
    if (changed) separateNodeNames(model);
    return changed;
  },
};

/** Why the branch cannot stand outside. */
function obstacle(node: Node, branch: Graph): string | undefined {
  if (branch.inputs.length > 0) return 'its branch has inputs';
  for (const value of branch.values.values()) {
    if (!value.producer && !value.initializer) return `'${value.name}' in its branch is a sparse constant`;
  }
  const taken = new Set<Value>();
  for (const [i, inner] of branch.outputs.entries()) {
    const outer = node.output(i);
    if (!outer) continue;
    // A value has one name: a result that is another graph's, or two results that are one, cannot both keep theirs.
    if (outer.isOutput && (inner.graph !== branch || taken.has(inner))) {
      return `'${outer.name}' is a graph output and only another name for '${inner.name}'`;
    }
    if (inner.graph === branch) taken.add(inner);
  }
  return undefined;
}

function inline(node: Node, name: string): void {
  const branch = (node.attributes.get(name) as { value: Graph }).value;
  const graph = node.graph!;
  const outputs = [...branch.outputs];
  const results = [...node.outputs];
  // Detached, so that removing the If leaves alone what moved out of it.
  node.attributes.delete(name);
  for (const inner of outputs) inner.outputOf.delete(branch);
  results.forEach((_, i) => node.setOutput(i, null));

  const outside = new Map<Value, Value>();
  outputs.forEach((inner, i) => {
    const outer = results[i];
    if (!outer || !inner.producer || inner.graph !== branch || outside.has(inner)) return;
    outside.set(inner, outer);
    if (!outer.info && inner.info) outer.info = { ...inner.info, name: outer.name };
  });
  const inside = [...branch.values.values()];
  for (const inner of inside) {
    if (!outside.has(inner)) outside.set(inner, moved(inner, graph));
  }
  for (const each of [...branch.nodes()]) {
    each.outputs.forEach((inner, i) => each.setOutput(i, inner && outside.get(inner)!));
    each.graph = undefined;
    graph.insertBefore(each, node);
  }
  for (const inner of inside) graph.replaceUses(inner, outside.get(inner)!);
  outputs.forEach((inner, i) => {
    const outer = results[i];
    const value = outside.get(inner) ?? inner;
    if (!outer || outer === value) return;
    if (outer.isOutput) makeConstant(outer, value.constant!);
    else {
      graph.replaceUses(outer, value);
      graph.removeValue(outer);
    }
  });
  graph.remove(node);
}

/** The same value in another graph, under the same name if that is free there. */
function moved(inner: Value, graph: Graph): Value {
  if (inner.initializer) return graph.addInitializer(inner.initializer);
  const value = graph.addValue(inner.name);
  if (inner.info) value.info = { ...inner.info, name: value.name };
  return value;
}
