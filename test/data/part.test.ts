/** Parts of a selection: together they are the selection, whoever reads them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inShard, partOf } from '../../src/data/part.ts';
import type { Selection } from '../../src/data/sample.ts';
import { datasetOf, floatSamples } from '../calibrate/samples.ts';

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
