/**
 * Which samples are read: those that calibrate, those that are left over to judge the result, and parts of a selection.
 *
 * - The choice depends on the number of samples and the seed alone, and a larger choice contains every smaller one, so that
 *   `--samples` can grow without surprise.
 * - A part is a shard of a selection, or what an interrupted run left over. Which samples belong to it follows from their place in the
 *   selection alone, so that parts made on different machines fit together without a word between them.
 */
import { createHash } from 'node:crypto';
import type { Dataset, Selection } from './sample.ts';
import { random } from './random.ts';

/** Samples that were drawn. */
export interface Choice {
  readonly chosen: Selection;
  /** What the choice leaves over; may be empty. */
  readonly rest: Selection;
  /** What the user should know about the choice, in one line. */
  readonly note: string | undefined;
}

/**
 * Draws `samples` positions out of `count`, in ascending order, and the others. A stream (count undefined) cannot be drawn
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
 * Draws samples that must be run in order: whole sequences at random, until there are `samples`; the last may be cut, and
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

/** One of `count` equal shares; `index` counts from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The number of samples, and the sha256 over their ids, each followed by a line feed. */
interface Tally {
  readonly samples: number;
  readonly idsHash: string;
}

/** A part of a selection, to be read. */
export interface Part {
  /** To be read with `selection`; yields the samples of the part. */
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Places in the whole selection of the first samples that were yielded. */
  places(samples: number): number[];
  /** The whole selection and the share of it; of a stream undefined until it has been read. */
  tally(): { readonly whole: Tally; readonly share: Tally } | undefined;
}

type PlaceFilter = (place: number) => boolean;

/** A shard's samples, strided: equal shares of data sorted by class or length, and of a stream whose end is not known. */
export function inShard({ index, count }: Shard): PlaceFilter {
  return (place) => place % count === index - 1;
}

/**
 * The samples whose place in the selection (0 for its first sample) is in the share, and of these the ones that are left.
 * Files are read for those only; a stream cannot be entered in the middle and is read from its start.
 */
export function partOf(
  dataset: Dataset,
  selection: Selection,
  inShare: PlaceFilter,
  isLeft: PlaceFilter = () => true,
): Part {
  const { count } = dataset;
  if (count === undefined) return partOfStream(dataset, selection, inShare, isLeft);
  const positions = [...positionsOf(selection, count)];
  const share = positions.map((_, place) => place).filter(inShare);
  const left = share.filter(isLeft);
  const at = (chosen: readonly number[]): number[] => chosen.map((place) => positions[place]!);
  const tally = (chosen: readonly number[]): Tally => ({ samples: chosen.length, idsHash: dataset.idsHash(chosen)! });
  return {
    dataset,
    selection: at(left),
    places(samples) {
      const skipped = new Set(dataset.skipped?.(at(left)).map(({ position }) => position));
      return left.filter((place) => !skipped.has(positions[place]!)).slice(0, samples);
    },
    tally: () => ({ whole: tally(positions), share: tally(at(share)) }),
  };
}

function partOfStream(dataset: Dataset, selection: Selection, inShare: PlaceFilter, isLeft: PlaceFilter): Part {
  const places: number[] = [];
  let tally: ReturnType<Part['tally']>;
  return {
    dataset: {
      ...dataset,
      async *samples(asked) {
        const [whole, share] = [counter(), counter()];
        places.length = 0;
        for await (const sample of dataset.samples(asked)) {
          const place = whole.add(sample.id);
          if (!inShare(place)) continue;
          share.add(sample.id);
          if (!isLeft(place)) continue;
          places.push(place);
          yield sample;
        }
        tally = { whole: whole.tally(), share: share.tally() };
      },
    },
    selection,
    places: (samples) => places.slice(0, samples),
    tally: () => tally,
  };
}

function counter(): { add(id: string): number; tally(): Tally } {
  const ids = createHash('sha256');
  let samples = 0;
  return {
    add(id) {
      ids.update(`${id}\n`);
      return samples++;
    },
    tally: () => ({ samples, idsHash: ids.digest('hex') }),
  };
}

/** Whether a position is in a selection, and the last that may be; -1 when there are none. */
export function membership(selection: Selection): { has(position: number): boolean; last: number } {
  if ('from' in selection) {
    const { from, to = Infinity } = selection;
    return { has: (position) => position >= from && position < to, last: to > from ? to - 1 : -1 };
  }
  const positions = new Set(selection);
  return { has: (position) => positions.has(position), last: selection.at(-1) ?? -1 };
}
