/**
 * The contract of an observer: how the statistics of many batches become one range per tensor. One file per observer, listed in index.ts. A
 * state covers all tensors at once, as typed arrays indexed by tensor, and merges exactly and in any order, so that batch size, worker
 * count and shard order never change a range. There is no observer by channel: no kernel takes a scale per channel of what it sums over;
 * health (health.ts) and the weight observer `max` do look at channels.
 */
import type { TypedArray } from '../../onnx/data-types.ts';
import type { Range } from '../ranges.ts';

/** What the augmented graph can compute per tensor and batch (see augmented-graph.ts). */
export type Statistic = 'min' | 'max';

/**
 * One batch, indexed by tensor, float32. A tensor without elements has min = Infinity and max = -Infinity. Everything
 * else is finite. A tensor that cannot be negative reports 0 instead of its min. `elements` are the sampled elements, for an
 * observer that wants them; undefined for a tensor inside a body, whose elements do not leave the graph.
 */
export interface BatchStatistics extends Readonly<Record<Statistic, Float32Array>> {
  readonly elements?: readonly (Float32Array | undefined)[];
  /** With `elements`: for how many elements of its tensor each of them stands. */
  readonly strides?: readonly number[];
  /** For health (health.ts), of a batch of one sample: which tenth of the samples it belongs to. */
  readonly fold?: number;
  /** With `fold`: the largest value of every channel, of the tensors whose channels are told apart. */
  readonly channels?: readonly (Float32Array | undefined)[];
  /** Tensors that are observed only until they fill their limits (statistics-run.ts): health would depend on the order. */
  readonly limited?: readonly boolean[];
}

/** Named arrays that are the whole state, in one canonical form: what a state file holds. */
export type ObserverState = Readonly<Record<string, TypedArray>>;

/** Every option of an observer, with its value. */
export type ObserverOptions = Readonly<Record<string, number>>;

/** A number that an observer can be told. */
export interface ObserverOption {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** A few words: what the number is. */
  readonly describe: string;
}

/** A memory in which elements are counted without copying them. */
export interface ElementMemory {
  /** The memory as it is now: allocating, and adding a batch, may put another in its place, of the same content. */
  readonly buffer: ArrayBuffer;
  /**
   * The address of so many bytes, for good.
   * @throws RangeError when there is no room
   */
  allocate(bytes: number): number;
  /**
   * The smallest and the largest of each of `lists` lists of one length, which together are the values, by place modulo 16: 16 smallest
   * and 16 largest per list, NaN among them if there is one. Infinity and -Infinity where there are none. Valid until the next call.
   * @param values in this memory, or elsewhere
   */
  extremes(values: Float32Array, lists: number): Float32Array;
}

/** Takes batches in. */
export interface Accumulator {
  /** Where elements are best put; they may be anywhere. */
  readonly memory?: ElementMemory;
  /** The arrays of the batch may be reused after the call. */
  add(batch: BatchStatistics): void;
  /** What was taken in so far; later batches do not change it. */
  state(): ObserverState;
}

/** How batches become a state, states one state, and a state ranges. */
export interface Observer {
  /** Unique: what `--observer` names and state files hold. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  /** The statistics that `add` reads. */
  readonly needs: readonly Statistic[];
  /** Whether `add` reads elements, too. */
  readonly elements: boolean;
  /**
   * Whether every sample must run alone, because the statistics of a batch are not those of its samples: a mean, or counts of a
   * tensor that has no batch axis. A batch would save little: within 5 % of the time.
   */
  readonly oneByOne: boolean;
  /** Whether the extremes of a batch count only as far as they widen those seen before: then a full range need not be looked at. */
  readonly saturates?: boolean;
  readonly options: Readonly<Record<string, ObserverOption>>;
  /** For `count` tensors. The state before the first batch is the neutral element of `merge`. */
  start(count: number, options: ObserverOptions): Accumulator;
  /** Commutative, associative, exact; neither argument is changed. */
  merge(a: ObserverState, b: ObserverState): ObserverState;
  /** One range per tensor, zero included; [0, 0] for a tensor that never had an element. */
  finish(state: ObserverState, options: ObserverOptions): Range[];
  /** The state in arrays read from a file, or undefined when they are not the state of `count` tensors. */
  decode(arrays: ObserverState, count: number): ObserverState | undefined;
}
