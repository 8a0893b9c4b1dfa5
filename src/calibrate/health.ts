/**
 * The health of a calibration, as it is gathered: whether there were enough samples, whether single ones stretch a range, and which
 * channels never change. It travels in the arrays of every observer, so that it merges, resumes and shards as they do: exactly and in any
 * order. What follows from it: health-findings.ts.
 *
 * - Samples fall into ten folds by a hash of their id. Had the samples of one fold been the last to come, they would have added what the
 *   range loses without them: the mean over the folds is how much the last tenth adds, whatever the order.
 * - A channel whose largest value is the same in every sample, to the bit, may be constant; where nothing is negative and that value is 0
 *   it is dead.
 *
 * It is told of runs of one sample at a time only: a batch does not say which of its samples had an extreme.
 */
import { hashOf } from './element-positions.ts';
import type { Accumulator, BatchStatistics, Observer, ObserverState } from './observers/observer.ts';

/** Parts of the samples. */
export const folds = 10;

const keys = {
  samples: 'health.samples',
  min: 'health.min',
  max: 'health.max',
  channels: 'health.channels',
  alike: 'health.alike',
} as const;

/** What the arrays of a state hold, by the names in `keys`. */
export interface HealthState {
  /** One element: number of samples. */
  readonly samples: Float64Array;
  /** Extremes by tensor and fold. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Channels of each tensor; 0 where they are not told apart. */
  readonly channels: Uint32Array;
  /** Channel after channel: the maximum that all samples had, or NaN. */
  readonly alike: Float32Array;
}

/** The fold of a sample. */
export function foldOf(id: string): number {
  return hashOf(id) % folds;
}

/** The observer, with health carried along in its arrays. */
export function withHealth(observer: Observer): Observer {
  return {
    ...observer,
    start(count, options) {
      const inner = observer.start(count, options);
      const health = watch(count);
      return {
        ...(inner.memory ? { memory: inner.memory } : {}),
        add(batch) {
          inner.add(batch);
          health.add(batch);
        },
        state: () => ({ ...inner.state(), ...health.state() }),
      };
    },
    merge: (a, b) => ({ ...observer.merge(a, b), ...pack(mergeHealth(unpack(a), unpack(b))) }),
    decode(arrays, count) {
      const own = observer.decode(arrays, count);
      if (!own) return undefined;
      // Ranges of other tools come without.
      if (!(keys.samples in arrays)) return own;
      const health = unpack(arrays);
      return health && isWhole(health, count) ? { ...own, ...pack(health) } : undefined;
    },
  };
}

/** 0 for −0, which equals it: of two equal values the first is kept, and the bytes must not tell which came first. */
function unsigned(value: number): number {
  return value + 0;
}

/** Gathers the health of `count` tensors. */
function watch(count: number): Accumulator {
  const samples = new Float64Array(1);
  const min = new Float32Array(count * folds).fill(Infinity);
  const max = new Float32Array(count * folds).fill(-Infinity);
  const channels = new Uint32Array(count);
  let alike = new Float32Array(0);
  /** The places in `alike` of the channels that were the same so far: a few, once the first samples are past. */
  let open = new Uint32Array(0);
  /** Of each tensor: where its channels begin in `alike`, and how many of the open ones are its own. */
  const starts = new Uint32Array(count);
  const opened = new Uint32Array(count);
  const begin = (maxima: NonNullable<BatchStatistics['channels']>): void => {
    let total = 0;
    maxima.forEach((each, i) => {
      starts[i] = total;
      channels[i] = opened[i] = each?.length ?? 0;
      total += channels[i]!;
    });
    alike = new Float32Array(total);
    maxima.forEach((each, i) => each && alike.set(each.map(unsigned), starts[i]));
    open = Uint32Array.from(alike, (_, at) => at);
  };
  /** Closes the channels that differ this time, and moves those that do not to the front. */
  const compare = (maxima: NonNullable<BatchStatistics['channels']>): void => {
    let from = 0;
    let to = 0;
    for (let i = 0; i < count; i++) {
      const own = maxima[i];
      const start = starts[i]!;
      const end = from + opened[i]!;
      opened[i] = 0;
      if (!own) continue;
      for (; from < end; from++) {
        const at = open[from]!;
        if (own[at - start] === alike[at]) {
          open[to++] = at;
          opened[i]!++;
        } else alike[at] = NaN;
      }
    }
  };
  return {
    add({ min: lowest, max: largest, fold, channels: maxima, limited }) {
      if (fold === undefined) return;
      if (samples[0] === 0 && maxima) begin(maxima);
      samples[0]!++;
      for (let i = 0; i < count; i++) {
        if (limited?.[i]) continue;
        const at = i * folds + fold;
        if (lowest[i]! < min[at]!) min[at] = unsigned(lowest[i]!);
        if (largest[i]! > max[at]!) max[at] = unsigned(largest[i]!);
      }
      if (maxima) compare(maxima);
    },
    state: () =>
      pack({
        samples: samples.slice(),
        min: min.slice(),
        max: max.slice(),
        channels: channels.slice(),
        alike: alike.slice(),
      }),
  };
}

function pack(health: HealthState | undefined): ObserverState {
  if (!health) return {};
  return Object.fromEntries(Object.entries(keys).map(([key, name]) => [name, health[key as keyof HealthState]]));
}

/** The health in the arrays of a state, if all of it is there. */
export function unpack(arrays: ObserverState): HealthState | undefined {
  const found = Object.fromEntries(Object.entries(keys).map(([key, name]) => [key, arrays[name]]));
  return Object.values(found).every((array) => array !== undefined) ? (found as unknown as HealthState) : undefined;
}

function isWhole({ samples, min, max, channels, alike }: HealthState, count: number): boolean {
  const floats = [min, max, alike].every((array) => array instanceof Float32Array);
  if (!(samples instanceof Float64Array) || !floats || !(channels instanceof Uint32Array)) return false;
  const total = channels.reduce((sum, each) => sum + each, 0);
  return (
    samples.length === 1 &&
    channels.length === count &&
    [min, max].every(({ length }) => length === count * folds) &&
    alike.length === total
  );
}

function mergeHealth(a: HealthState | undefined, b: HealthState | undefined): HealthState | undefined {
  if (!a || !b || a.samples[0] === 0) return b ?? a;
  if (b.samples[0] === 0) return a;
  const least = (x: Float32Array, y: Float32Array): Float32Array => x.map((value, i) => Math.min(value, y[i]!));
  const most = (x: Float32Array, y: Float32Array): Float32Array => x.map((value, i) => Math.max(value, y[i]!));
  return {
    samples: Float64Array.of(a.samples[0]! + b.samples[0]!),
    min: least(a.min, b.min),
    max: most(a.max, b.max),
    channels: a.channels,
    alike: a.alike.map((value, i) => (value === b.alike[i] ? value : NaN)),
  };
}
