/**
 * Part of a selection: a shard of it, or what an interrupted run left over. Which samples belong to a part follows from
 * their place in the selection alone, so that parts made on different machines fit together without a word between them.
 */
import { createHash } from 'node:crypto';
import type { Dataset, Selection } from './sample.ts';
import { positionsOf } from './select.ts';

/** One of `count` equal shares; `index` counts from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** How many samples, and the sha256 over their ids, each followed by a line feed. */
export interface Tally {
  readonly samples: number;
  readonly idsHash: string;
}

export interface Part {
  /** To be read with `selection`; yields the samples of the part. */
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Places in the whole selection of the first samples that were yielded. */
  places(samples: number): number[];
  /** The whole selection and the share of it; of a stream undefined until it has been read. */
  tally(): { readonly whole: Tally; readonly share: Tally } | undefined;
}

type Wanted = (place: number) => boolean;

/** Strided: equal shares of data sorted by class or length, and of a stream whose end is not known. */
export function inShard({ index, count }: Shard): Wanted {
  return (place) => place % count === index - 1;
}

/**
 * The samples whose place in the selection (0 for its first sample) is in the share, and of these the ones that are left.
 * Files are read for those only; a stream cannot be entered in the middle and is read from its start.
 */
export function partOf(dataset: Dataset, selection: Selection, inShare: Wanted, isLeft: Wanted = () => true): Part {
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

function partOfStream(dataset: Dataset, selection: Selection, inShare: Wanted, isLeft: Wanted): Part {
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
