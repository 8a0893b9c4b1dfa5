/**
 * The Casts at the border of a widened model, taken away and put back: training feeds and reads float32, whatever the file shows.
 */
import { isFloat, valueTypes } from '../../graph/element-types.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { bypass } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { dataType, type DataTypeName } from '../../onnx/data-types.ts';
import { isOtherFloat } from '../../onnx/widened.ts';

const single = dataType('float32').code;

/** In place: inputs and outputs become float32, those that hold nothing to learn are none, but the scores of a ZipMap are one. @returns what puts all back */
export function openPorts(model: Model): () => void {
  const { graph } = model;
  const { types, containers } = valueTypes(model);
  const inputs = new Map<Value, DataTypeName>();
  for (const value of graph.inputs) {
    const { type } = value;
    if (!isOtherFloat(type) || ![...value.users.keys()].every(toSingle)) continue;
    inputs.set(value, type);
    value.setType(single, value.dims);
    for (const cast of [...value.users.keys()]) bypass(cast, value);
  }
  const outputs = new Map<string, DataTypeName>();
  for (const value of new Set(graph.outputs)) {
    const { producer, type } = value;
    const inner = producer?.input(0);
    if (!isOtherFloat(type) || !producer?.is('Cast') || !inner) continue;
    const { dims, name } = value;
    if (!bypass(producer, inner)) continue;
    graph.values.get(name)!.setType(single, dims);
    outputs.set(name, type);
  }
  const all = [...graph.outputs];
  const numbers = new Set(
    all
      .map((value) => (value.producer?.opType === 'ZipMap' ? value.producer.input(0)! : value))
      .filter((value) => !containers.has(value) && isFloat(types.get(value) ?? 'float32')),
  );
  if (numbers.size > 0) setOutputs(graph, [...numbers]);
  return () => {
    setOutputs(graph, all);
    for (const [value, type] of inputs) castInput(graph, value, type);
    for (const [name, type] of outputs) castOutput(graph, graph.values.get(name)!, type);
  };
}

function setOutputs(graph: Graph, values: readonly Value[]): void {
  for (const value of graph.outputs) value.outputOf.delete(graph);
  graph.outputs.length = 0;
  for (const value of values) graph.addOutput(value);
}

function toSingle(node: Node): boolean {
  return node.is('Cast') && node.int('to') === single;
}

/** The input gets this type, and everyone reads it through a Cast. */
export function castInput(graph: Graph, value: Value, type: DataTypeName): void {
  const passed = graph.outputs.map((output) => output === value);
  const cast = castNode(graph, value, 'float32', `${value.name}_float32`);
  graph.prepend(cast);
  graph.replaceUses(value, cast.output()!);
  passed.forEach((is, index) => is && graph.setOutput(index, value));
  cast.setInput(0, value);
  value.setType(dataType(type).code, value.dims);
}

/** The output keeps its name and gets this type, behind a Cast; what makes it has a name of its own. */
export function castOutput(graph: Graph, value: Value, type: DataTypeName): void {
  const { info, dims } = value;
  const cast = castNode(graph, value, type, `${value.name}_float32`);
  graph.append(cast);
  cast.setInput(0, value);
  const port = cast.output()!;
  graph.swapNames(value, port);
  port.info = info && { ...info, name: port.name };
  port.setType(dataType(type).code, dims);
  value.info = info && { ...info, name: value.name };
  if (value.info) value.setType(single, dims);
  graph.outputs.forEach((output, index) => output === value && graph.setOutput(index, port));
}

/** Not yet placed, nor given its input. */
export function castNode(graph: Graph, value: Value, to: DataTypeName, output: string): Node {
  const cast = graph.makeNode('Cast', [], { outputs: [output] });
  cast.name = `${cast.output()!.name}/Cast`;
  cast.setInt('to', dataType(to).code);
  cast.output()!.setType(dataType(to).code, value.dims);
  return cast;
}
