import fc from 'fast-check';
import { expect, it, describe } from 'vitest';
import { inShard, partOf, choose, positionsOf } from '../../src/data/selection.ts';
import type { Selection } from '../../src/data/sample.ts';
import { datasetOf, floatSamples } from '../calibrate/samples.ts';

const count = fc.integer({ min: 1, max: 300 });
const seed = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('choose', () => {
  it('never changes its choice (golden values)', () => {
    expect(choose(20, 6, 0).chosen).toEqual([4, 6, 7, 14, 15, 16]);
    expect(choose(20, 6, 1).chosen).toEqual([2, 7, 9, 10, 17, 19]);
    expect(choose(1000, 5, 42).chosen).toEqual([58, 152, 346, 674, 918]);
  });

  it('splits all positions into two ascending parts', () => {
    fc.assert(
      fc.property(count, fc.nat(300), seed, (total, samples, s) => {
        const { chosen, rest } = choose(total, samples, s) as { chosen: readonly number[]; rest: readonly number[] };
        expect(chosen.length).toBe(Math.min(total, samples));
        const ascending = (list: readonly number[]) => list.every((value, i) => i === 0 || list[i - 1]! < value);
        expect(ascending(chosen) && ascending(rest)).toBe(true);
        expect([...chosen, ...rest].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
      }),
    );
  });

  it('keeps every smaller choice inside a larger one', () => {
    fc.assert(
      fc.property(count, fc.nat(300), seed, (total, samples, s) => {
        const larger = new Set(choose(total, samples + 1, s).chosen as number[]);
        expect((choose(total, samples, s).chosen as number[]).every((position) => larger.has(position))).toBe(true);
      }),
    );
  });

  it('takes all, and says so, when more is asked for than there is', () => {
    const choice = choose(3, 10, 0);
    expect(choice).toMatchObject({ chosen: [0, 1, 2], rest: [] });
    expect(choice.note).toContain('3');
    expect(choose(3, 3, 0).note).toBeUndefined();
  });

  it('takes the first of a stream', () => {
    expect(choose(undefined, 8, 0)).toMatchObject({ chosen: { from: 0, to: 8 }, rest: { from: 8 } });
  });
});

describe('positionsOf', () => {
  it('ends a range at the data', () => {
    expect([...positionsOf({ from: 2 }, 5)]).toEqual([2, 3, 4]);
    expect([...positionsOf({ from: 1, to: 3 }, 5)]).toEqual([1, 2]);
    expect([...positionsOf({ from: 4, to: 9 }, 5)]).toEqual([4]);
  });

  it('refuses positions that do not exist', () => {
    expect(() => [...positionsOf([5], 5)]).toThrow(RangeError);
  });
});

/** Parts of a selection: together they are the selection, whoever reads them. */

type Wanted = (place: number) => boolean;
const samples = floatSamples(23, [1]);
const selections = fc.oneof(
  fc.subarray(
    samples.map((_, i) => i),
    { minLength: 1 },
  ),
  fc.record({ from: fc.nat(5), to: fc.integer({ min: 6, max: 30 }) }),
);

async function idsOf(selection: Selection, stream: boolean, ...wanted: Wanted[]) {
  const part = partOf(datasetOf(samples, { stream }), selection, wanted[0]!, wanted[1]);
  const ids: string[] = [];
  for await (const { id } of part.dataset.samples(part.selection)) ids.push(id);
  return { ids, places: part.places(ids.length), ...part.tally()! };
}

it('shards cover the selection, each sample once, evenly, and agree on the whole', async () => {
  await fc.assert(
    fc.asyncProperty(selections, fc.integer({ min: 1, max: 6 }), fc.boolean(), async (selection, count, stream) => {
      const all = await idsOf(selection, false, () => true);
      const shards = [];
      for (let index = 1; index <= count; index++)
        shards.push(await idsOf(selection, stream, inShard({ index, count })));
      const places = shards.flatMap((shard) => shard.places).sort((a, b) => a - b);
      expect(places).toEqual(all.places);
      for (const { ids, places: own, whole } of shards) {
        expect(ids).toEqual(own.map((place) => all.ids[place]));
        expect(whole).toEqual(all.whole);
        expect(Math.abs(ids.length - all.ids.length / count)).toBeLessThan(1);
      }
    }),
    { numRuns: 60 },
  );
});

it('counts and hashes the whole and the share as a plain pass does, and yields what is left', async () => {
  const selection = { from: 1, to: 8 };
  const dataset = datasetOf(samples);
  for (const stream of [false, true]) {
    const part = await idsOf(selection, stream, inShard({ index: 2, count: 3 }), (place) => place > 2);
    expect(part).toEqual({
      ids: ['s5'],
      places: [4],
      whole: { samples: 7, idsHash: dataset.idsHash(selection) },
      share: { samples: 2, idsHash: dataset.idsHash([2, 5]) },
    });
  }
});

it('a stream does not know its whole before it has been read', () => {
  expect(partOf(datasetOf(samples, { stream: true }), { from: 0 }, () => true).tally()).toBeUndefined();
});
