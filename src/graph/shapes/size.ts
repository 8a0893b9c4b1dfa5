/**
 * Sizes of axes, and short tensors of integers as exporters compute shapes with. A size that only a run knows is an object: "that
 * axis of that value". The same size is the same object, so that two of them are compared with ===.
 */
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
