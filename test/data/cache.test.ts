/** The cache gives the samples of the dataset in the order that was asked for, and reads what it holds no more. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cached } from '../../src/data/cache.ts';
import type { Dataset, Sample } from '../../src/data/sample.ts';

function counting(count: number): { dataset: Dataset; reads: number[] } {
  const reads: number[] = [];
  const sample = (i: number): Sample => ({
    id: `${i}`,
    inputs: { x: { type: 'float32', dims: [1, 4], data: new Float32Array(4).fill(i) } },
  });
  const dataset: Dataset = {
    ...{ source: 'here', format: 'npy', count, labelled: false, preprocess: undefined, synthetic: false },
    idsHash: () => undefined,
    async *samples(selection) {
      const positions = 'from' in selection ? Array.from({ length: count }, (_, i) => i) : selection;
      for (const position of positions) {
        reads.push(position);
        yield sample(position);
      }
    },
  };
  return { dataset, reads };
}

async function read(dataset: Dataset, positions: readonly number[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { id, inputs } of dataset.samples(positions)) {
    const data = inputs['x']!.data as Float32Array;
    expect([...data]).toEqual([Number(id), Number(id), Number(id), Number(id)]);
    // Whoever gets a sample may write into it.
    data.fill(-1);
    found.push(id);
  }
  return found;
}

describe('the cache', () => {
  it('changes nothing but the number of reads, whatever is asked for and however much it holds', async () => {
    const positions = fc.array(fc.nat(9), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(positions, { maxLength: 4 }), fc.nat(12), async (requests, room) => {
        const { dataset, reads } = counting(10);
        // 16 bytes each.
        const cache = cached(dataset, room * 16);
        for (const request of requests) expect(await read(cache, request)).toEqual(request.map(String));
        const asked = requests.flat();
        expect(reads.length).toBeLessThanOrEqual(asked.length);
        if (room >= 10) {
          const seen = new Set<number>();
          // Within a request, what is read on the way may be read twice; a request before it has all it will ever need.
          for (const request of requests) for (const position of request) seen.add(position);
          const before = reads.length;
          await read(cache, [...seen]);
          expect(reads).toHaveLength(before);
        }
      }),
    );
  });

  it('stays within its bytes', async () => {
    const { dataset, reads } = counting(10);
    const cache = cached(dataset, 3 * 16 + 15);
    const all = Array.from({ length: 10 }, (_, i) => i);
    await read(cache, all);
    reads.length = 0;
    await read(cache, all);
    expect(reads).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  it('is not there where samples may be left out', () => {
    const { dataset } = counting(3);
    expect(cached(dataset, 0)).toBe(dataset);
    const tolerant = { ...dataset, skipped: () => [] };
    expect(cached(tolerant, 1e6)).toBe(tolerant);
  });
});
