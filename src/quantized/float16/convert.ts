/**
 * Converts a graph to float16: constants converted, a Cast where a value crosses between float16 and float32. A value has the type of
 * the node that makes it; inputs and outputs of the model stay float32 when asked to; those of bodies are float16.
 */
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { bypass } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { removeDead, sortNodes } from '../../graph/walk.ts';
import { dataType } from '../../onnx/data-types.ts';
import { float32ToFloat16, fromFloat32 } from '../../onnx/narrow-types.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { narrowed } from '../../onnx/widened.ts';
import { unobservable } from '../../quantizable/kept-nodes.ts';
import { floatValues, isFixedInput, maskInHalf, reasonForFloat } from './precision.ts';

const half = dataType('float16').code;
const single = dataType('float32').code;

/**
 * Converts the model in place.
 * @param isFloat of floatValues: whether a value was float32 before
 * @param kept nodes that stay in float32
 */
export function convertToHalf(
  model: Model,
  { isFloat, isMask }: Pick<ReturnType<typeof floatValues>, 'isFloat' | 'isMask'>,
  kept: ReadonlySet<Node>,
  keepIo: boolean,
): void {
  const values = new Set<Value>();
  for (const graph of model.graph.graphs())
    for (const value of graph.values.values()) if (isFloat(value)) values.add(value);
  const isHalf = (value: Value): boolean => {
    if (!values.has(value) || unobservable(value.graph)) return false;
    if (value.producer) return !kept.has(value.producer);
    return value.isInput && (value.graph !== model.graph || !keepIo);
  };
  const halves = new Set([...values].filter(isHalf));
  const constants = new Map<Value, Value>();
  const casts = new Map<Graph, Map<string, Value>>();
  /** The value as a reader in `graph` wants it. */
  const as = (value: Value, graph: Graph, wanted: 'float16' | 'float32'): Value => {
    if (value.isConstant) {
      if (wanted === 'float32') return value;
      if (!constants.has(value)) constants.set(value, constantHalf(value, isMask(value)));
      return constants.get(value)!;
    }
    if (halves.has(value) === (wanted === 'float16')) return value;
    if (!casts.has(graph)) casts.set(graph, new Map());
    const here = casts.get(graph)!;
    if (!here.has(value.name)) here.set(value.name, castTo(value, graph, wanted));
    return here.get(value.name)!;
  };
  for (const node of [...model.allNodes()]) {
    const wanted = kept.has(node) ? 'float32' : 'float16';
    node.inputs.forEach((value, index) => {
      if (!value || !values.has(value)) return;
      node.setInput(index, as(value, node.graph!, isFixedInput(node, index) ? 'float32' : wanted));
    });
    if (wanted === 'float16') retype(node, halves, isMask);
  }
  for (const value of halves) if (value.info || value.isInput) value.setType(half, value.dims);
  for (const graph of [...model.graph.graphs()]) {
    const wanted = (graph === model.graph && keepIo) || unobservable(graph) ? 'float32' : 'float16';
    graph.outputs.forEach((value, index) => {
      if (!values.has(value)) return;
      const replaced = as(value, graph, wanted);
      if (replaced === value) return;
      graph.setOutput(index, replaced);
      if (graph === model.graph && !value.isInput) keepName(graph, value, replaced, wanted);
    });
  }
  for (const node of [...model.allNodes()]) {
    const input = node.input(0);
    const same = input && (halves.has(input) || input.type === 'float16');
    if (same && node.is('Cast') && node.int('to') === half) bypass(node, input);
  }
  removeDead(model.graph);
  sortNodes(model.graph);
}

/** The output of the model keeps its name, whichever type it is now. */
function keepName(graph: Graph, value: Value, replaced: Value, wanted: 'float16' | 'float32'): void {
  const { dims } = value;
  graph.swapNames(value, replaced);
  replaced.setType(dataType(wanted).code, dims);
  value.info = undefined;
}

function constantHalf(value: Value, mask: boolean): Value {
  const tensor = value.constant!;
  const name = `${value.name}_float16`;
  const made = mask
    ? Tensor.of(name, 'float16', [...tensor.dims], fromFloat32(maskInHalf(tensor.floats()), float32ToFloat16))
    : narrowed(tensor, name);
  return value.graph.addInitializer(made);
}

function castTo(value: Value, graph: Graph, wanted: 'float16' | 'float32'): Value {
  const cast = graph.makeNode('Cast', [value], { outputs: [`${value.name}_${wanted}`] });
  const output = cast.output()!;
  cast.name = `${output.name}_Cast`;
  cast.setInt('to', dataType(wanted).code);
  if (value.dims) output.setType(dataType(wanted).code, value.dims);
  if (value.producer && value.graph === graph) graph.insertAfter(cast, value.producer);
  else graph.prepend(cast);
  return output;
}

/** Attributes that say float32. */
function retype(node: Node, halves: ReadonlySet<Value>, isMask: (value: Value) => boolean): void {
  if (!node.outputs.some((value) => value && halves.has(value))) return;
  if (node.is('Cast') && node.int('to') === single) node.setInt('to', half);
  const value = node.is('Constant', 'ConstantOfShape') ? node.tensor('value') : undefined;
  if (value?.type.name === 'float32') {
    const numbers = isMask(node.output()!) ? maskInHalf(value.floats()) : value.floats();
    node.setTensor('value', Tensor.of('', 'float16', [...value.dims], fromFloat32(numbers, float32ToFloat16)));
  } else if (node.is('ConstantOfShape') && !value) {
    node.setTensor('value', Tensor.of('', 'float16', [1], Uint16Array.of(0)));
  }
}

/**
 * Converts what a format left float back to float16, where the model that came in was: the operators of weight-only take it, and the
 * rest of a half-sized model is not to grow. In place.
 * @param singles names of the tensors that were float32 in that model, and stay so
 */
export function narrowBack(model: Model, singles: ReadonlySet<string>): void {
  const values = floatValues(model);
  const { isFloat, isMask } = values;
  // What is still in the file fitted float16 before, and what is made on demand is not made for a look at it.
  const looked = ({ constant }: Value): boolean => !constant || constant.payload() instanceof Uint8Array;
  const kept = [...model.allNodes()].filter(
    (node) =>
      node.outputs.some((value) => value && singles.has(value.name)) ||
      reasonForFloat(node, { isFloat: (value) => isFloat(value) && looked(value), isMask }, new Map()) !== undefined,
  );
  convertToHalf(model, values, new Set(kept), true);
}
