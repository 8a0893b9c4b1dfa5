/** Orders of nodes: dependency order of a graph, and dead code. */
import { graphErrors } from '../errors/graph.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

/** Everything a node reads, through its body graphs too: what stands in these graphs as well. */
export function* readBy(node: Node): Generator<Value> {
  for (const input of node.inputs) if (input) yield input;
  for (const body of node.subgraphs()) {
    for (const inner of body.nodes()) yield* readBy(inner);
    yield* body.outputs;
  }
}

/** Nodes whose results this node needs and that stand in the same graph. */
function* dependencies(node: Node, graph: Graph): Generator<Node> {
  for (const value of readBy(node)) if (value.producer && value.graph === graph) yield value.producer;
}

/** Nodes in dependency order, as near to list order as that allows. */
export function topological(graph: Graph): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  for (const root of graph.nodes()) {
    // An explicit stack: real graphs are deeper than the call stack.
    const stack: { node: Node; pending: Iterator<Node> }[] = [];
    const open = (node: Node): void => {
      state.set(node, 'open');
      stack.push({ node, pending: dependencies(node, graph) });
    };
    if (!state.has(root)) open(root);
    while (stack.length > 0) {
      const { node, pending } = stack[stack.length - 1]!;
      const next = pending.next();
      if (next.done) {
        stack.pop();
        state.set(node, 'done');
        order.push(node);
      } else if (state.get(next.value) === 'open') {
        throw graphErrors.cycle(next.value.label, graph.name);
      } else if (!state.has(next.value)) {
        open(next.value);
      }
    }
  }
  return order;
}

/** Nodes of the graph and of all its bodies in dependency order; those of a body stand before the node that owns it. */
export function* topologicalDeep(graph: Graph): Generator<Node> {
  for (const node of topological(graph)) {
    for (const body of node.subgraphs()) yield* topologicalDeep(body);
    yield node;
  }
}

/** Puts the node list of the graph and of its bodies in dependency order. True if anything moved. */
export function sortNodes(graph: Graph): boolean {
  let moved = false;
  for (const each of graph.graphs()) {
    const order = topological(each);
    let index = 0;
    for (const node of each.nodes()) if (order[index++] !== node) moved = true;
    if (moved) each.reorder(order);
  }
  return moved;
}

/** Removes nodes whose outputs nobody reads and constants that lost their users. Returns the removed nodes' labels. */
export function removeDead(graph: Graph): string[] {
  const removed: string[] = [];
  // Bodies first: their dead nodes may be the last readers of outer ones.
  for (const each of [...graph.graphs()].reverse()) {
    for (const node of topological(each).reverse()) {
      if (node.outputs.some((value) => value && value.useCount > 0)) continue;
      removed.push(node.label);
      each.remove(node);
    }
  }
  for (const each of graph.graphs()) {
    for (const value of [...each.values.values()]) {
      if (value.isConstant && value.useCount === 0) each.removeValue(value);
    }
  }
  return removed;
}
