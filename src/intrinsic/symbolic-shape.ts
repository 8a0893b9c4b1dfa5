/**
 * Shape arithmetic as exporters write it (Shape → Gather → Unsqueeze → Concat → Reshape), followed through the graph:
 * each element is a number or "the size of that axis of that value". One sweep in list order; only short int64 vectors
 * count.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Facts } from './facts.ts';

/** The size, known only at run time, of an axis of a value. */
export interface AxisSize {
  readonly of: Value;
  readonly axis: number;
}

export type Element = number | AxisSize;

/** A 1-D tensor of elements or, with `scalar`, a single one of rank 0. */
export interface SymbolicVector {
  readonly elements: readonly Element[];
  readonly scalar: boolean;
  /** Set for the whole shape of a value of unknown rank: elements are made on demand. */
  readonly shapeOf?: Value;
}

const longest = 64;

/** The size of an axis: a number where the declaration has one. */
function sizeOf(value: Value, axis: number): Element {
  const dim = value.dims?.[axis];
  return typeof dim === 'number' ? dim : { of: value, axis };
}

export class SymbolicShapes {
  readonly #vectors = new Map<Value, SymbolicVector>();
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** What is known of an int64 value whose producer was visited, or of a constant. */
  of(value: Value | undefined): SymbolicVector | undefined {
    return value && (this.#vectors.get(value) ?? fromConstant(value));
  }

  /** Works out the output of one node from its inputs; the nodes must come in dependency order. */
  visit(node: Node): SymbolicVector | undefined {
    const output = node.output();
    const vector = output && this.#evaluate(node);
    if (!vector || vector.elements.length > longest) return undefined;
    this.#vectors.set(output, vector);
    return vector;
  }

  #evaluate(node: Node): SymbolicVector | undefined {
    if (node.is('Shape')) return this.#shape(node);
    const first = this.of(node.input(0));
    if (!first) return undefined;
    if (node.is('Identity')) return first;
    if (node.is('Cast')) return node.int('to') === 7 ? first : undefined;
    if (node.is('Gather')) return this.#gather(node, first);
    if (node.is('Concat')) return this.#concat(node);
    if (first.shapeOf) return undefined;
    if (node.is('Slice')) return this.#slice(node, first);
    if (node.is('Unsqueeze')) return first.scalar && onFirstAxis(node) ? { ...first, scalar: false } : undefined;
    if (node.is('Squeeze')) {
      const single = !first.scalar && first.elements.length === 1;
      return single && onFirstAxis(node) ? { ...first, scalar: true } : undefined;
    }
    return undefined;
  }

  #shape(node: Node): SymbolicVector | undefined {
    const value = node.input(0);
    const rank = this.#facts.of(value).rank;
    if (!value) return undefined;
    const [start, end] = [node.int('start', 0), node.int('end')];
    if (rank === undefined)
      return start === 0 && end === undefined ? { elements: [], scalar: false, shapeOf: value } : undefined;
    const elements = Array.from({ length: rank }, (_, axis) => sizeOf(value, axis));
    return { elements: elements.slice(start, end), scalar: false };
  }

  #gather(node: Node, data: SymbolicVector): SymbolicVector | undefined {
    const indices = node.input(1);
    const chosen = indices && integers(indices);
    const rank = indices?.dims?.length;
    if (!chosen || rank === undefined || rank > 1 || data.scalar || node.int('axis', 0) !== 0) return undefined;
    const elements = chosen.map((index) => {
      if (data.shapeOf) return index >= 0 ? sizeOf(data.shapeOf, index) : undefined;
      return data.elements.at(index);
    });
    return elements.includes(undefined) ? undefined : { elements: elements as Element[], scalar: rank === 0 };
  }

  #concat(node: Node): SymbolicVector | undefined {
    const elements: Element[] = [];
    for (const value of node.inputs) {
      const part = this.of(value ?? undefined);
      if (!part || part.scalar || part.shapeOf || elements.length + part.elements.length > longest) return undefined;
      elements.push(...part.elements);
    }
    return { elements, scalar: false };
  }

  /** Slice with constant bounds: attributes before opset 10, inputs since. Array.slice clamps bounds as ONNX does. */
  #slice(node: Node, data: SymbolicVector): SymbolicVector | undefined {
    if (data.scalar) return undefined;
    const [starts, ends] = [integersOf(node, 'starts', 1), integersOf(node, 'ends', 2)];
    const absent = (name: string, index: number): boolean => !node.attributes.has(name) && !node.input(index);
    const axes = absent('axes', 3) ? [0] : integersOf(node, 'axes', 3);
    const steps = node.input(4) ? integers(node.input(4)!) : [1];
    if (starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || steps?.length !== 1) return undefined;
    if ((axes[0] !== 0 && axes[0] !== -1) || steps[0] !== 1) return undefined;
    return { elements: data.elements.slice(starts[0], ends[0]), scalar: false };
  }
}

/** Integers that are an attribute in old opsets and a constant input since; undefined when they are absent or computed. */
export function integersOf(node: Node, name: string, index: number): number[] | undefined {
  const value = node.input(index);
  return node.ints(name) ?? (value && integers(value));
}

/** For Squeeze and Unsqueeze: axes is [0] (or absent, in Squeeze); an attribute before opset 13, an input since. */
function onFirstAxis(node: Node): boolean {
  const given = node.input(1);
  const axes = given ? integers(given) : (node.ints('axes') ?? (node.is('Squeeze') ? [0] : undefined));
  return axes?.length === 1 && (axes[0] === 0 || axes[0] === -1);
}

function fromConstant(value: Value): SymbolicVector | undefined {
  const tensor = value.constant;
  if (tensor?.type.name !== 'int64' || tensor.dims.length > 1) return undefined;
  const elements = integers(value);
  return elements?.every(Number.isSafeInteger) ? { elements, scalar: tensor.dims.length === 0 } : undefined;
}

/** Content of a short integer constant. The marks for "to the end" (2^63 - 1 and the like) lose digits, not meaning. */
function integers(value: Value): number[] | undefined {
  const tensor = value.constant;
  if (!tensor || tensor.size > longest || (tensor.type.name !== 'int64' && tensor.type.name !== 'int32'))
    return undefined;
  return Array.from(tensor.data() as BigInt64Array | Int32Array, Number);
}
