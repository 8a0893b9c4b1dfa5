/**
 * Nodes and outputs added to copies of a model, which compute something about its tensors instead of its outputs. The model itself is never
 * changed.
 */
import { calibrateErrors } from '../errors/calibrate.ts';
import type { Graph } from '../graph/graph.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { removeDead } from '../graph/walk.ts';
import { Tensor } from '../onnx/tensor.ts';

/** Appends a node to the graph and returns its result. */
export function append(graph: Graph, opType: string, inputs: readonly Value[]): Value {
  return graph.append(graph.makeNode(opType, inputs)).output()!;
}

/** Appends a reduction over these axes, which are an input from opset 18 on. */
export function appendReduction(value: Value, opType: string, axes: readonly number[], opset: number): Value {
  const { graph } = value;
  if (opset < 18) {
    const reduced = append(graph, opType, [value]);
    reduced.producer!.setInts('axes', axes);
    return reduced;
  }
  return append(graph, opType, [value, appendInts(graph, `${value.name}_axes`, axes)]);
}

/** Adds a 1-D int64 constant: shapes, axes. */
export function appendInts(graph: Graph, name: string, content: readonly number[]): Value {
  return graph.addInitializer(Tensor.of(name, 'int64', [content.length], BigInt64Array.from(content, BigInt)));
}

/** Makes `outputs` the only outputs of the graph and drops everything they do not need; graph inputs stay. */
export function setOutputs(graph: Graph, outputs: readonly Value[]): void {
  for (const value of graph.outputs) value.outputOf.delete(graph);
  graph.outputs.length = 0;
  for (const value of outputs) graph.addOutput(value);
  removeDead(graph);
}

/**
 * Finds the activation of a name, in bodies too.
 * @throws (the function returned) CALIBRATE_UNKNOWN_TENSOR, CALIBRATE_CONSTANT
 */
export function activationFinder(model: Model): (name: string) => Value {
  const find = valueFinder(model);
  return (name) => {
    const value = find(name);
    if (!value) {
      const known = [...model.graph.graphs()].flatMap(({ values }) => [...values.keys()]);
      throw calibrateErrors.unknownTensor(name, known);
    }
    if (value.initializer) throw calibrateErrors.constantTensor(name);
    return value;
  };
}

/** The node of the main graph in one of whose bodies, at any depth, this graph is; undefined for the main graph itself. */
export function outermostOwner(graph: Graph): Node | undefined {
  let { owner } = graph;
  while (owner?.graph?.owner) owner = owner.graph.owner;
  return owner;
}
