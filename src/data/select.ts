/**
 * Which samples calibrate and which are left over to judge the result. The choice depends on the number of samples
 * and the seed alone, and a larger choice contains every smaller one, so that `--samples` can grow without surprise.
 */
import { random } from './random.ts';
import type { Selection } from './sample.ts';

export interface Choice {
  readonly chosen: Selection;
  /** What the choice leaves over; may be empty. */
  readonly rest: Selection;
  /** What the user should know about the choice, in one line. */
  readonly note: string | undefined;
}

/**
 * `samples` positions out of `count`, in ascending order, and the others. A stream (count undefined) cannot be drawn
 * from without reading it whole, so its first `samples` are taken.
 */
export function choose(count: number | undefined, samples: number, seed: number): Choice {
  if (count === undefined) {
    const note = `the data is a stream of unknown length: its first ${samples} samples are taken, not a random choice`;
    return { chosen: { from: 0, to: samples }, rest: { from: samples }, note };
  }
  if (samples >= count) {
    const note =
      samples > count ? `${samples} samples were asked for, the data has ${count}: all are taken` : undefined;
    return { chosen: Array.from({ length: count }, (_, i) => i), rest: [], note };
  }
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const generator = random(seed);
  for (let i = 0; i < samples; i++) {
    const j = i + generator.below(count - i);
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return {
    chosen: Array.from(order.subarray(0, samples).sort()),
    rest: Array.from(order.subarray(samples).sort()),
    note: undefined,
  };
}

/** The positions of a selection in ascending order; an open range ends at `count`. */
export function* positionsOf(selection: Selection, count: number): Generator<number> {
  if ('from' in selection) {
    const end = Math.min(selection.to ?? count, count);
    for (let position = selection.from; position < end; position++) yield position;
    return;
  }
  for (const position of selection) {
    if (!(position >= 0 && position < count)) throw new RangeError(`sample ${position} of ${count}`);
    yield position;
  }
}
