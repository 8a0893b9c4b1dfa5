/**
 * A model of constant nodes only, made to be run once: their copies, the constants they read, and the results wanted.
 */
import { type Executor, Model } from '../graph/model.ts';
import { Graph } from '../graph/graph.ts';
import { Names } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';

/**
 * @param nodes in dependency order; they may stand in different graphs of `model`
 * @param known results computed before, which count as constants
 * @throws what the executor throws, and an Error for a result that is text
 */
export async function evaluateConstants(
  model: Model,
  nodes: readonly Node[],
  wanted: readonly Value[],
  known: ReadonlyMap<Value, Tensor>,
  executor: Executor,
): Promise<Map<Value, Tensor>> {
  const graph = new Graph('constants', new Names());
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    let copy = copies.get(value);
    if (!copy) copies.set(value, (copy = graph.addInitializer((known.get(value) ?? value.constant)!)));
    return copy;
  };
  for (const node of nodes) {
    const inputs = node.inputs.map((value) => value && copyOf(value));
    const copy = graph.makeNode(node.opType, inputs, { name: node.name, domain: node.domain, outputs: [] });
    for (const [key, attribute] of node.attributes) copy.attributes.set(key, attribute);
    node.outputs.forEach((value, index) => {
      const output = value && graph.addValue(value.name);
      if (value && output) copies.set(value, output);
      copy.setOutput(index, output);
    });
    graph.append(copy);
  }
  for (const value of wanted) graph.addOutput(copies.get(value)!);
  const opsetImport = [...model.opsets].map(([domain, version]) => ({ domain, version }));
  const irVersion = Math.max(model.irVersion, 4);
  const results = await executor.run(new Model(graph, { irVersion, opsetImport }, model.dir), {});
  const tensors = new Map<Value, Tensor>();
  for (const value of wanted) {
    const { type, dims, data } = results[copies.get(value)!.name]!;
    if (type === 'string') throw new Error(`'${value.name}' is text`);
    tensors.set(value, Tensor.of(value.name, type, [...dims], data));
  }
  return tensors;
}
