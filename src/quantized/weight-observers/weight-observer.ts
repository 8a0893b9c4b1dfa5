/**
 * The contract of a weight observer: float weights → the scales of their codes. One file each, listed in index.ts. Weights share
 * scales in groups (a tensor, a channel, a block), and all groups are found in the same passes over the tensor as it lies.
 */

import { isUsableScale } from '../params.ts';

export interface WeightObserver {
  /** Unique: what `--weight-observer` names. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  /**
   * @param top the largest code; the lowest is -top
   * @returns one float32 scale per group; 1 for a group of zeros, or of what is too small for a float32 scale
   */
  scales(values: Float32Array, groups: Groups, top: number): Float32Array;
}

/** Element i is in group floor(i / inner) % count. */
export interface Groups {
  readonly count: number;
  readonly inner: number;
}

/** One group, or one per position along `axis`. */
export function channelGroups(dims: readonly number[], axis: number | undefined): Groups {
  const inner = dims.slice(axis === undefined ? 0 : axis + 1).reduce((n, d) => n * d, 1);
  return { count: axis === undefined ? 1 : dims[axis]!, inner: Math.max(inner, 1) };
}

/** One group per `size` neighbours along the last axis, which `size` must divide. */
export function blockGroups(dims: readonly number[], size: number): Groups {
  if (dims.at(-1)! % size !== 0) throw new RangeError(`blocks of ${size} along an axis of ${dims.at(-1)}`);
  return { count: dims.reduce((n, d) => n * d, 1) / size, inner: size };
}

/** The largest magnitude of each group. */
export function magnitudes(values: Float32Array, groups: Groups): Float64Array {
  const largest = new Float64Array(groups.count);
  forEachRun(values, groups, (group, start, end) => {
    let most = largest[group]!;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > most) most = magnitude;
    }
    largest[group] = most;
  });
  return largest;
}

/** Groups of zeros, or of what is too small for a float32 scale: their codes are 0 at any scale. */
export function silentGroups(values: Float32Array, groups: Groups, top: number): Set<number> {
  return new Set(
    [...magnitudes(values, groups).entries()].flatMap(([i, most]) => (isUsableScale(most / top) ? [] : [i])),
  );
}

/** Neighbours of one group, in the order in which they lie. */
export function forEachRun(
  { length }: Float32Array,
  { count, inner }: Groups,
  visit: (group: number, start: number, end: number) => void,
): void {
  for (let start = 0, run = 0; start < length; start += inner, run++) visit(run % count, start, start + inner);
}
