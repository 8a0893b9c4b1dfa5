/** The few edits that fusions share. Each keeps the names by which later nodes, users and reports know a tensor. */
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { float32ToFloat16, fromFloat32 } from '../onnx/narrow-types.ts';
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { PassContext } from './pass.ts';

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

/** Why `node` cannot absorb `follower`, one reader of its result; undefined when nothing else needs that result. */
export function neededElsewhere(node: Node, follower: Node): string | undefined {
  const result = node.output()!;
  if (result.isOutput) return `'${result.name}', the result of '${node.label}', is a graph output`;
  if (result.soleUser !== follower)
    return `'${result.name}', the result of '${node.label}', is read by other nodes too`;
  return node.graph === follower.graph ? undefined : `'${node.label}' stands in another graph`;
}

/**
 * The readers of the result of `node`, each of which reads it once, as its input 0, so that together they can take over
 * its work; or the reason why they cannot. None when no reader is one that `accepts` it.
 */
export function readersOf(node: Node, accepts: (reader: Node) => boolean): Node[] | string {
  const result = node.output();
  const readers = result ? [...result.users.keys()] : [];
  if (!result || !readers.some((reader) => reader.input(0) === result && accepts(reader))) return [];
  if (result.isOutput) return `its result '${result.name}' is a graph output`;
  for (const reader of readers) {
    const plain = reader.input(0) === result && result.users.get(reader) === 1 && accepts(reader);
    if (!plain) return `its result '${result.name}' is also read by ${reader.opType} '${reader.label}'`;
  }
  return readers;
}

/**
 * `fold` lets all readers of `node` take over its work, or returns the reason why they cannot. Tells what came of it; true
 * when they did.
 */
export function handOver(
  node: Node,
  accepts: (reader: Node) => boolean,
  fold: (readers: readonly Node[]) => string | undefined,
  { applied, refused }: PassContext,
): boolean {
  const readers = readersOf(node, accepts);
  if (readers.length === 0) return false;
  const label = node.label;
  const reason = typeof readers === 'string' ? readers : fold(readers);
  if (typeof readers === 'string' || reason !== undefined) {
    refused(label, reason!);
    return false;
  }
  const labels = readers.map((reader) => reader.label);
  applied([label, ...labels], labels[0]);
  return true;
}

/**
 * Removes a node whose result is `value`, which its users read from now on. False, with the reason told, where both names
 * are needed.
 */
export function removeCopy(node: Node, value: Value, { applied, refused }: PassContext): boolean {
  const label = node.label;
  const output = node.output()!;
  const declared = output.info;
  if (!bypass(node, value)) {
    refused(label, `'${output.name}' is a graph output and ${standing(value, output)}`);
    return false;
  }
  // The declaration is true of the value as well, and shapes are worth keeping.
  if (declared && !value.info && value.producer) value.info = { ...declared, name: value.name };
  applied([label]);
  return true;
}

/** Why the value cannot take the name of the output. */
function standing(value: Value, output: Value): string {
  if (value.graph !== output.graph) return `its input '${value.name}' stands in another graph`;
  if (value.isInput) return `its input '${value.name}' is a graph input`;
  if (value.isOutput) return `its input '${value.name}' is a graph output too`;
  return `its input '${value.name}' is a constant`;
}

/** The value keeps name and users and is constant from now on. Its producer leaves the graph with its last output. */
export function makeConstant(value: Value, tensor: Tensor): undefined {
  const { producer } = value;
  value.initializer = tensor.name === value.name ? tensor : tensor.renamed(value.name);
  if (!producer) return undefined;
  producer.setOutput(producer.outputs.indexOf(value), null);
  if (producer.outputs.every((output) => output === null)) producer.graph!.remove(producer);
  return undefined;
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

/** False when a finite number was rounded to infinity. */
export function fits(data: TypedArray, type: FloatType): boolean {
  if (type === 'float16') return (data as Uint16Array).every((half) => (half & 0x7c00) !== 0x7c00);
  return (data as Float32Array | Float64Array).every(Number.isFinite);
}

/** The elements of a float constant in float64. */
export function doubles(tensor: Tensor): Float64Array {
  return tensor.type.name === 'float64' ? (tensor.data() as Float64Array) : Float64Array.from(tensor.floats());
}
