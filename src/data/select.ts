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
    return { chosen: Array.from({ length: count }, (_, i) => i), rest: [], note: notEnough(samples, count) };
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

/**
 * For samples that must be run in order: whole sequences, drawn at random, until there are `samples`; the last may be cut, and
 * its end is left over.
 * @param lengths of the sequences, in order
 */
export function chooseSequences(lengths: readonly number[], samples: number, seed: number): Choice {
  const starts: number[] = [];
  const count = lengths.reduce((start, length) => (starts.push(start), start + length), 0);
  const generator = random(seed);
  const order = lengths.map((_, i) => i);
  const chosen: number[] = [];
  for (let i = 0; i < order.length && chosen.length < samples; i++) {
    const j = i + generator.below(order.length - i);
    [order[i], order[j]] = [order[j]!, order[i]!];
    const [start, length] = [starts[order[i]!]!, lengths[order[i]!]!];
    const taken = Math.min(length, samples - chosen.length);
    for (let k = 0; k < taken; k++) chosen.push(start + k);
  }
  chosen.sort((a, b) => a - b);
  const taken = new Set(chosen);
  const rest = Array.from({ length: count }, (_, i) => i).filter((position) => !taken.has(position));
  return { chosen, rest, note: notEnough(samples, count) };
}

function notEnough(samples: number, count: number): string | undefined {
  return samples > count ? `${samples} samples were asked for, the data has ${count}: all are taken` : undefined;
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
