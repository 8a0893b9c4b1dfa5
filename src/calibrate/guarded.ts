/**
 * Tensors whose NaN a guard removes: a row in which everything is masked gives NaN in Softmax, and a Where behind it, often fed by
 * IsNaN, puts something else in its place. Such NaN is meant. Whether it is all gone behind the guard is looked at there.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';
import { passesNaN } from './nan-flow.ts';

/** They hand NaN on, if not all of it: what they leave out is lost for a reason. */
const selects = new Set(['Slice', 'Split', 'Gather', 'GatherElements', 'GatherND', 'Expand', 'Tile', 'Pad', 'Cast']);

function guards(node: Node, index: number): boolean {
  return node.is('IsNaN', 'IsInf') || (node.is('Where') && index > 0);
}

/** The activations of a graph from which every way to an output leads through a guard. */
export function guardedValues(graph: Graph): ReadonlySet<Value> {
  const found = new Set<Value>();
  const look = (value: Value): void => {
    if (value.isOutput || value.users.size === 0) return;
    const safe = [...value.users.keys()].every((user) => {
      if (user.graph !== graph || user.domain !== '') return false;
      const places = [...user.inputs.keys()].filter((index) => user.inputs[index] === value);
      if (places.every((index) => guards(user, index))) return true;
      if (!passesNaN.has(user.opType) && !selects.has(user.opType)) return false;
      return user.outputs.every((output) => !output || found.has(output));
    });
    if (safe) found.add(value);
  };
  for (const node of topological(graph).reverse()) for (const value of node.outputs) if (value) look(value);
  for (const value of graph.inputs) if (!value.producer) look(value);
  return found;
}

/** The results of the guards that stand next behind these tensors. */
export function guardsBehind(values: Iterable<Value>, guarded: ReadonlySet<Value>): Set<Value> {
  const results = new Set<Value>();
  const seen = new Set<Value>();
  const open = [...values].filter((value) => guarded.has(value));
  while (open.length > 0) {
    const value = open.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    for (const user of value.users.keys()) {
      for (const output of user.outputs) {
        if (!output || user.is('IsNaN', 'IsInf')) continue;
        if (user.is('Where')) results.add(output);
        if (guarded.has(output)) open.push(output);
      }
    }
  }
  return results;
}
