/**
 * Sizes of axes, and short tensors of integers as exporters compute shapes with: shapes, axes, pads, bounds. A size that only a run knows
 * is an object: "that axis of that value". The same size is the same object, so that two of them are compared with ===.
 */
import type { Tensor } from '../../onnx/tensor.ts';
import type { Node } from '../node.ts';
import type { Value } from '../value.ts';

/** The size, known only at run time, of an axis of a value. */
export interface AxisSize {
  readonly of: Value;
  readonly axis: number;
}

export type Size = number | AxisSize;

/** A 1-D tensor of integers or, with `scalar`, a single one of rank 0; undefined where an element is not known. */
export interface Vector {
  readonly elements: readonly (Size | undefined)[];
  readonly scalar: boolean;
  /** Set for the whole shape of a value of unknown rank: its elements are made on demand. */
  readonly shapeOf?: Value;
}

/** Longer tensors of integers are data, not shapes. */
export const longestVector = 64;

/** Makes each size once: by name where it is declared, else by value and axis. */
export class Sizes {
  readonly #named = new Map<string, AxisSize>();
  readonly #axes = new Map<Value, AxisSize[]>();

  /** What the declaration says of that axis. */
  declared(value: Value, axis: number): Size {
    const dim = value.dims?.[axis];
    if (typeof dim === 'number') return dim;
    if (typeof dim !== 'string' || dim === '') return this.unknown(value, axis);
    const known = this.#named.get(dim);
    if (known) return known;
    const size = this.unknown(value, axis);
    this.#named.set(dim, size);
    return size;
  }

  unknown(value: Value, axis: number): AxisSize {
    let axes = this.#axes.get(value);
    if (!axes) this.#axes.set(value, (axes = []));
    return (axes[axis] ??= { of: value, axis });
  }
}

/** The tensor of a constant, also of one that still is a Constant node. */
export function tensorOf(value: Value | undefined): Tensor | undefined {
  if (!value) return undefined;
  return value.constant ?? (value.producer?.is('Constant') ? value.producer.tensor('value') : undefined);
}

/** The content of a short constant of integers or booleans, else undefined. The marks for "to the end" (2^63 - 1 and the like) lose digits, not meaning. */
export function integers(value: Value | undefined): number[] | undefined {
  const node = value?.producer;
  if (node?.is('Constant')) {
    const listed = node.ints('value_ints') ?? node.int('value_int');
    if (listed !== undefined) return typeof listed === 'number' ? [listed] : listed;
  }
  const tensor = tensorOf(value);
  if (!tensor || tensor.size > longestVector) return undefined;
  const { name } = tensor.type;
  if (name === 'bool') return Array.from(tensor.data() as Uint8Array, Number);
  if (name !== 'int64' && name !== 'int32') return undefined;
  return Array.from(tensor.data() as BigInt64Array | Int32Array, Number);
}

/** Integers that are an attribute in old opsets and a constant input since; undefined when they are absent or computed. */
export function integersOf(node: Node, name: string, index: number): number[] | undefined {
  return node.ints(name) ?? integers(node.input(index));
}
