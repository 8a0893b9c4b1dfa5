/**
 * Saturated tensors: those behind a Clip whose range already fills its limits. No sample can widen it, so that looking is a waste, and in
 * networks with ReLU6 they are most of what there is to look at. Once at least half of those are full and enough samples are left, a session
 * without them takes over, if it gives the very same bits for all others (statistics-run.ts). Only those are left out where the rest is
 * certain not to notice: with a convolution on one side, of which the Clip becomes a part, and windows on the other, no fusion of
 * onnxruntime reaches across.
 */
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import type { Interval } from '../ops/op.ts';
import type { BatchStatistics } from './observers/observer.ts';
import type { Probe } from './augmented-graph.ts';

/** Operators that read windows. */
const windows = ['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'] as const;

/** The limits of a tensor that may be left out once it fills them. */
export function saturationOf(value: Value): Interval | undefined {
  const { producer } = value;
  const limits = producer && specOf(producer)?.clamp?.(producer);
  if (!limits || !Number.isFinite(limits.max - limits.min)) return undefined;
  const made = producer.input(0);
  const alone = made?.producer?.is('Conv') && made.soleUser === producer && value.outputOf.size === 0;
  return alone && [...value.users.keys()].every((user) => user.is(...windows)) ? limits : undefined;
}

/** How many runs pass before the first look; then as many again each time. */
const firstLook = 8;
/** A new session must cost less than this part of the runs that are left: what it saves is a few per cent of them. */
const worth = 0.04;

/** Watches the probes that have limits. */
export class Saturation {
  readonly #watched: readonly { readonly probe: Probe; readonly at: number; readonly range: Interval }[];
  readonly #full = new Map<string, Interval>();
  /** How many of them were left out the last time. */
  #leftOut = 0;
  #runs = 0;
  #look = firstLook;

  /** @param tensors in the order of the statistics */
  constructor(probes: readonly Probe[], tensors: readonly string[]) {
    this.#watched = probes.flatMap((probe) => {
      const { limits, columns, tensor } = probe;
      // Where the minimum is not looked for it is reported as 0.
      const min = columns.includes('min') ? limits?.min : 0;
      return limits ? [{ probe, at: tensors.indexOf(tensor), range: { min: min!, max: limits.max } }] : [];
    });
  }

  add({ min, max }: BatchStatistics): void {
    this.#runs++;
    for (const { probe, at, range } of this.#watched)
      if (min[at]! <= range.min && max[at]! >= range.max) this.#full.set(probe.tensor, range);
  }

  /**
   * The tensors to leave out from now on, with their ranges, when it is time to look, and worth it: when it is half of those that
   * are not left out yet.
   * @param opening what a session costs, in runs
   * @param left runs to come, at most
   */
  due(opening: number, left: number): ReadonlyMap<string, Interval> | undefined {
    if (this.#runs < this.#look) return undefined;
    this.#look *= 2;
    const found = this.#full.size - this.#leftOut;
    if (found === 0 || found * 2 < this.#watched.length - this.#leftOut || opening >= left * worth) return undefined;
    this.#leftOut = this.#full.size;
    return this.#full;
  }
}
