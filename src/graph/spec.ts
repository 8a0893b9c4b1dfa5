/**
 * The executable specification of the IR: everything that must hold between two passes. Tests run it after every pass; it
 * throws plain errors because a violation is a defect of qdq, never of the user's model.
 */
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

export function checkModel(model: Model): void {
  if (!model.opsets.has('') && [...model.allNodes()].some((node) => node.domain === ''))
    fail('no default operator set');
  checkGraph(model.graph, new Set());
}

function checkGraph(graph: Graph, outer: ReadonlySet<Value>): void {
  const defined = new Set(outer);
  for (const [name, value] of graph.values) {
    if (value.name !== name) fail(`value '${value.name}' is filed under '${name}'`);
    if (value.graph !== graph) fail(`value '${name}' belongs to another graph`);
    if (!graph.names.has(name)) fail(`name '${name}' is not reserved`);
    if (value.initializer && value.initializer.name !== name)
      fail(`initializer of '${name}' is named '${value.initializer.name}'`);
    if (value.producer && value.initializer) fail(`'${name}' is both constant and computed`);
    if (!value.producer) defined.add(value);
    checkUses(value);
  }
  for (const node of graph.nodes()) {
    if (node.graph !== graph) fail(`node '${node.label}' has lost its graph`);
    checkEdges(node, defined);
    for (const body of node.subgraphs()) checkGraph(body, defined);
    for (const output of node.outputs) if (output) defined.add(output);
  }
  for (const output of graph.outputs) if (!defined.has(output)) fail(`output '${output.name}' is not defined`);
}

function checkEdges(node: Node, defined: ReadonlySet<Value>): void {
  for (const input of node.inputs) {
    if (!input) continue;
    if (!defined.has(input)) fail(`node '${node.label}' reads '${input.name}' before it is computed`);
    if (!input.users.has(node)) fail(`'${input.name}' does not know its user '${node.label}'`);
  }
  for (const output of node.outputs) {
    if (output && output.producer !== node) fail(`'${output.name}' does not know its producer '${node.label}'`);
  }
}

function checkUses(value: Value): void {
  for (const [node, count] of value.users) {
    if (!node.graph) fail(`'${value.name}' is used by the removed node '${node.label}'`);
    const reads = node.inputs.filter((input) => input === value).length;
    if (reads !== count) fail(`'${value.name}' counts ${count} reads by '${node.label}', which has ${reads}`);
  }
  for (const [graph, count] of value.outputOf) {
    if (graph.outputs.filter((output) => output === value).length !== count)
      fail(`'${value.name}' miscounts its outputs`);
  }
}

function fail(message: string): never {
  throw new Error(`graph invariant broken: ${message}`);
}
