/**
 * The contract of an observer: how the statistics of many batches become one range per tensor. One file per observer, listed
 * in index.ts. A state covers all tensors at once, as typed arrays indexed by tensor, and merges exactly and in any order,
 * so that batch size, worker count and shard order never change a range.
 */
import type { TypedArray } from '../../onnx/data-types.ts';
import type { Range } from '../ranges.ts';

/** What the augmented graph can compute per tensor and batch (see statistics.ts). */
export type Statistic = 'min' | 'max';

/**
 * One batch, indexed by tensor, float32. A tensor without elements has min = Infinity and max = -Infinity. Everything
 * else is finite. A tensor that cannot be negative reports 0 instead of its min.
 */
export type BatchStatistics = Readonly<Record<Statistic, Float32Array>>;

/** Named arrays that are the whole state: what a state file holds. Lengths are multiples of the number of tensors. */
export type ObserverState = Readonly<Record<string, TypedArray>>;

export type ObserverOptions = Readonly<Record<string, number>>;

export interface Observer {
  /** Unique: what `--observer` names and state files hold. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  /** The statistics that `add` reads. */
  readonly needs: readonly Statistic[];
  /** Every option with its default. */
  readonly options: ObserverOptions;
  /** The state of `count` tensors before the first sample: the neutral element of `merge`. */
  empty(count: number, options: ObserverOptions): ObserverState;
  /** Takes one batch into the state, in place. */
  add(state: ObserverState, batch: BatchStatistics, options: ObserverOptions): void;
  /** Commutative, associative, exact; neither argument is changed. */
  merge(a: ObserverState, b: ObserverState): ObserverState;
  /** One range per tensor, zero included; [0, 0] for a tensor that never had an element. */
  finish(state: ObserverState, options: ObserverOptions): Range[];
  /** The state in arrays read from a file, or undefined when they are not the state of `count` tensors. */
  decode(arrays: ObserverState, count: number): ObserverState | undefined;
}
