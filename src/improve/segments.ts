/**
 * A model cut before its layers, so that each is measured when those before it have been corrected: a step runs from one cut to the
 * next, on values that the steps before left. No node but a layer runs twice, whatever the depth; layers that do not depend on each
 * other share a step.
 */
import { setOutputs } from '../calibrate/graph-outputs.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { readBy } from '../graph/walk.ts';
import { dataType, type TensorValue } from '../onnx/data-types.ts';

/** What runs between two cuts. */
export interface Step<Layer> {
  /** Values of the steps before that it reads. */
  readonly reads: readonly string[];
  /** Values that it leaves for the steps after it. */
  readonly leaves: readonly string[];
  /** What those after it do not need any more. */
  readonly spent: readonly string[];
  /** The layers at its end, none of which depends on another. */
  readonly layers: readonly Layer[];
}

/** Divides the graph into steps. @param layers by the node whose result is measured; the graph is sorted, and holds nothing that no layer needs */
export function stepsOf<Layer>(graph: Graph, layers: ReadonlyMap<Node, Layer>): Step<Layer>[] {
  const order = [...graph.nodes()];
  const fed = graph.inputs.filter(({ initializer }) => !initializer);
  const born = new Map<Value, number>(fed.map((value) => [value, -1]));
  order.forEach(({ outputs }, at) => outputs.forEach((value) => value && born.set(value, at)));
  const last = lastReads(order);
  const cuts = cutsOf(order, layers);
  // What is made before a cut and read behind it.
  const crossing = cuts.map(({ at }) => {
    const across = [...born].filter(([value, made]) => made < at && (last.get(value) ?? -1) >= at);
    return new Set(across.map(([{ name }]) => name));
  });
  return cuts.map(({ layers: ends }, i) => {
    const before = crossing[i - 1] ?? new Set(fed.map(({ name }) => name));
    const after = crossing[i]!;
    return {
      reads: [...before],
      leaves: [...after].filter((name) => !before.has(name)),
      spent: [...before].filter((name) => !after.has(name)),
      layers: ends,
    };
  });
}

interface Cut<Layer> {
  /** Position of the first layer that is measured there. */
  readonly at: number;
  readonly layers: Layer[];
}

/** As few as there can be: a layer shares the cut before it unless it depends on a layer of that cut. */
function cutsOf<Layer>(order: readonly Node[], layers: ReadonlyMap<Node, Layer>): Cut<Layer>[] {
  const cuts: Cut<Layer>[] = [];
  let uncertain = new Set<Value>();
  order.forEach((node, at) => {
    const layer = layers.get(node);
    let depends = [...readBy(node)].some((value) => uncertain.has(value));
    if (layer !== undefined) {
      if (depends || cuts.length === 0) {
        cuts.push({ at, layers: [] });
        uncertain = new Set();
      }
      cuts.at(-1)!.layers.push(layer);
      depends = true;
    }
    if (depends) for (const value of node.outputs) if (value) uncertain.add(value);
  });
  return cuts;
}

/** The last position at which each value is read. */
function lastReads(order: readonly Node[]): Map<Value, number> {
  const last = new Map<Value, number>();
  order.forEach((node, at) => {
    for (const value of readBy(node)) last.set(value, at);
  });
  return last;
}

/** A copy that reads these values from inputs and returns those. @param given values of one sample, for their types */
export function cutOut(
  source: Model,
  reads: readonly string[],
  returns: readonly string[],
  given: ReadonlyMap<string, TensorValue>,
): { readonly model: Model; readonly inputs: ReadonlyMap<string, string> } {
  const model = copyModel(source);
  const { graph } = model;
  const outputs = returns.map((name) => graph.values.get(name)!);
  const stands = new Map<Value, string>();
  for (const name of reads) {
    const value = graph.values.get(name)!;
    const input = value.isInput ? value : graph.addInput(`${name}_given`, dataType(given.get(name)!.type).code);
    if (input !== value) graph.replaceUses(value, input);
    stands.set(input, name);
  }
  setOutputs(graph, outputs);
  for (const value of [...graph.inputs]) if (value.useCount === 0) graph.removeValue(value);
  const inputs = graph.inputs
    .filter((value) => stands.has(value))
    .map((value) => [value.name, stands.get(value)!] as const);
  return { model, inputs: new Map(inputs) };
}
