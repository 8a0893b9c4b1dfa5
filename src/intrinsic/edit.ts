/** The few edits that fusions share. Each keeps the names by which later nodes, users and reports know a tensor. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { float32ToFloat16, fromFloat32 } from '../onnx/float16.ts';
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';

/**
 * `follower` leaves the graph and `node`, whose output only `follower` reads, computes its output in its place. Users,
 * name, declared type and place among the graph outputs stay with that output.
 */
export function absorb(node: Node, follower: Node): void {
  const graph = node.graph!;
  const inner = node.output()!;
  const outer = follower.output()!;
  follower.setOutput(0, null);
  node.setOutput(0, outer);
  graph.remove(follower);
  graph.removeValue(inner);
}

/** The value keeps name and users and is constant from now on. Its producer leaves the graph with its last output. */
export function makeConstant(value: Value, tensor: Tensor): void {
  const { producer } = value;
  value.initializer = tensor.name === value.name ? tensor : tensor.renamed(value.name);
  if (!producer) return;
  producer.setOutput(producer.outputs.indexOf(value), null);
  if (producer.outputs.every((output) => output === null)) producer.graph!.remove(producer);
}

export interface Content {
  readonly type: DataTypeName;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

/**
 * Gives `node` a constant of its own at input `index`: in place when nobody else reads the one that is there, so that
 * it keeps its name; else a new initializer named near `base`.
 */
export function setConstant(node: Node, index: number, { type, dims, data }: Content, base: string): void {
  const old = node.input(index);
  if (old?.isConstant && old.soleUser === node && old.graph === node.graph) {
    old.initializer = Tensor.of(old.name, type, [...dims], data);
    old.info = undefined;
  } else {
    node.setInput(index, node.graph!.addInitializer(Tensor.of(base, type, [...dims], data)));
  }
}

/** Types in which a float constant can be folded. */
export type FloatType = 'float32' | 'float64' | 'float16';

export function isFloatType(type: DataTypeName): type is FloatType {
  return type === 'float32' || type === 'float64' || type === 'float16';
}

/** Rounds float64 results to the type in which the model stores them. */
export function roundTo(type: FloatType, values: Float64Array): TypedArray {
  if (type === 'float64') return values;
  const single = Float32Array.from(values);
  return type === 'float32' ? single : fromFloat32(single, float32ToFloat16);
}

/** The elements of a float constant in float64. */
export function doubles(tensor: Tensor): Float64Array {
  return tensor.type.name === 'float64' ? (tensor.data() as Float64Array) : Float64Array.from(tensor.floats());
}
