/**
 * Weight observers: float weights → the scales of their codes. Weights share scales in groups (a tensor, a channel, a block), and all
 * groups are found in the same passes over the tensor as it lies.
 *
 *   max  scale = largest magnitude / top: nothing is clipped. At 8 bits per channel little is to be won over that.
 *   mse  the scale with the least squared error among largest magnitude · (1 − i/100) / top, i = 0 … 79, as BRECQ and OMSE search.
 *        It may clip a few large weights to round all others more finely: that pays where one scale serves a whole tensor, and at
 *        few bits; at 8 bits per channel it changes little.
 *
 * To add one: write it here and list it in `weightObservers`.
 */
import { findNamed } from '../errors/qdq-error.ts';
import { quantizedErrors } from '../errors/quantized.ts';
import { clamp, isUsableScale, roundHalfEven } from './quant-params.ts';

/** A way to find scales. */
interface WeightObserver {
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

/** How elements share scales: element i is in group floor(i / inner) % count. */
export interface Groups {
  readonly count: number;
  readonly inner: number;
}

/** Makes one group, or one per position along `axis`. */
export function channelGroups(dims: readonly number[], axis: number | undefined): Groups {
  const inner = dims.slice(axis === undefined ? 0 : axis + 1).reduce((n, d) => n * d, 1);
  return { count: axis === undefined ? 1 : dims[axis]!, inner: Math.max(inner, 1) };
}

/** Makes one group per `size` neighbours along the last axis, which `size` must divide. */
export function blockGroups(dims: readonly number[], size: number): Groups {
  if (dims.at(-1)! % size !== 0) throw new RangeError(`blocks of ${size} along an axis of ${dims.at(-1)}`);
  return { count: dims.reduce((n, d) => n * d, 1) / size, inner: size };
}

/** The largest magnitude of each group. */
function magnitudes(values: Float32Array, groups: Groups): Float64Array {
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

/** Finds groups of zeros, or of what is too small for a float32 scale: their codes are 0 at any scale. */
export function silentGroups(values: Float32Array, groups: Groups, top: number): Set<number> {
  return new Set(
    [...magnitudes(values, groups).entries()].flatMap(([i, most]) => (isUsableScale(most / top) ? [] : [i])),
  );
}

/** Visits each run of neighbours of one group, in the order in which they lie. */
function forEachRun(
  { length }: Float32Array,
  { count, inner }: Groups,
  visit: (group: number, start: number, end: number) => void,
): void {
  for (let start = 0, run = 0; start < length; start += inner, run++) visit(run % count, start, start + inner);
}

/** The largest magnitude: see above. */
const max: WeightObserver = {
  id: 'max',
  summary: 'the largest magnitude gets the largest code',
  scales: (values, groups, top) =>
    Float32Array.from(magnitudes(values, groups), (most) => (isUsableScale(most / top) ? most / top : 1)),
};

/** How many scales `mse` tries, each a hundredth of the largest below the one before. */
const candidates = 80;

/** The least squared error: see above. */
export const mse: WeightObserver = {
  id: 'mse',
  summary: 'the scale with the least squared error of the weights',
  scales(values, groups, top) {
    const best = max.scales(values, groups, top);
    const largest = magnitudes(values, groups);
    const least = new Float64Array(groups.count).fill(Infinity);
    for (let i = 0; i < candidates; i++) {
      const scales = Float32Array.from(largest, (most) => (most * (1 - i / 100)) / top);
      const errors = new Float64Array(groups.count);
      forEachRun(values, groups, (group, start, end) => {
        errors[group]! += squaredError(values, start, end, scales[group]!, top);
      });
      errors.forEach((error, group) => {
        if (!(error < least[group]!) || !isUsableScale(scales[group]!)) return;
        least[group] = error;
        best[group] = scales[group]!;
      });
    }
    return best;
  },
};

/** The squared error of codes as quantizeWeights makes them. */
function squaredError(values: Float32Array, start: number, end: number, scale: number, top: number): number {
  let error = 0;
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    const rest = value - clamp(roundHalfEven(Math.fround(value / scale)), -top, top) * scale;
    error += rest * rest;
  }
  return error;
}

/** Every observer that `--weight-observer` can name. */
export const weightObservers: readonly WeightObserver[] = [max, mse];

/** @throws QUANT_WEIGHT_OBSERVER with the nearest id */
export function weightObserverOf(id: string): WeightObserver {
  return findNamed(weightObservers, id, (observer) => observer.id, quantizedErrors.weightObserver);
}
