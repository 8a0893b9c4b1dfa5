/**
 * The contract of an adapter, and what adapters share. An adapter says what must happen to a node when its operator changes meaning or
 * form at some opset. Shared code decides which nodes need it; the adapter changes one node, in place where it can, so that the node keeps
 * its name. Attributes that become inputs become initializers of the node's own graph, named after the node's output.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { float32ToFloat16, fromFloat32 } from '../onnx/narrow-types.ts';
import type { Int64 } from '../onnx/messages.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { QdqError } from '../errors/qdq-error.ts';
import type { Size } from '../graph/shapes/size.ts';

/** A change of one or several operators at one opset. */
export interface Adapter {
  /** The operators that change in this way. */
  readonly ops: readonly string[];
  /** The opset at which the change takes effect. What the adapter makes is valid at this opset. */
  readonly version: number;
  /** True when it changed the node. */
  adapt(node: Node, context: AdaptContext): boolean;
}

/** What an adapter is told of the node that it changes. */
export interface AdaptContext {
  /** Element type of the node's data: of its first output or input. Undefined when nothing in the file tells. */
  readonly type: DataTypeName | undefined;
  /** Shape of the node's first input, as far as it follows from the graph. Undefined when not even the rank does. */
  readonly dims: readonly Size[] | undefined;
  /** The error that says why this node cannot be upgraded: to be thrown. */
  cannot(reason: string): QdqError;
}

/**
 * Makes a constant that the node reads.
 * @param role what the constant is to the node: the end of its name
 */
export function constant(
  node: Node,
  role: string,
  type: DataTypeName,
  dims: readonly number[],
  data: TypedArray,
): Value {
  const base = node.outputs.find((output) => output !== null)?.name ?? node.opType;
  return node.graph!.addInitializer(Tensor.of(`${base}_${role}`, type, dims, data));
}

/** A 1-D int64 constant, exact to the last bit: "to the end" is written as 2^63 - 1. */
export function int64Constant(node: Node, role: string, values: readonly Int64[]): Value {
  return constant(node, role, 'int64', [values.length], BigInt64Array.from(values, BigInt));
}

/** A scalar of a float type, or undefined when the type is not one that a float attribute can be written in. */
export function floatScalar(node: Node, role: string, type: DataTypeName, value: number): Value | undefined {
  const single = Float32Array.of(value);
  if (type === 'float32') return constant(node, role, type, [], single);
  if (type === 'float64') return constant(node, role, type, [], Float64Array.from(single));
  if (type === 'float16') return constant(node, role, type, [], fromFloat32(single, float32ToFloat16));
  return undefined;
}

/** Moves a list of integers from an attribute to an input. Returns false, with nothing done, when there is no such list. */
export function intsToInput(node: Node, attribute: string, index: number): boolean {
  const list = node.attributes.get(attribute);
  if (list?.kind !== 'ints') return false;
  node.attributes.delete(attribute);
  node.setInput(index, int64Constant(node, attribute, list.value));
  return true;
}

/** Moves `axes` from an attribute to input 1. An empty list means what no list means, every axis, and is dropped. */
export function axesToInput(node: Node): boolean {
  if (node.ints('axes')?.length === 0) return node.attributes.delete('axes');
  return intsToInput(node, 'axes', 1);
}
