import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { partOf } from '../../src/data/selection.ts';
import { mergeSkipped, recordSkipped, skippedWarnings } from '../../src/data/skip-bad.ts';
import { failure, input, noise, png, readAll, temporaryFolder } from './helpers.ts';

const pixels = input('x', [null, 3, 4, 4]);

async function images(bad: readonly number[]): Promise<string> {
  const root = temporaryFolder();
  mkdirSync(root, { recursive: true });
  for (let i = 0; i < 8; i++) {
    writeFileSync(join(root, `${i}.png`), bad.includes(i) ? Buffer.from('no image') : await png(noise(4, 4, i)));
  }
  return root;
}

function reader(code: string): string {
  const path = join(temporaryFolder(), 'reader.mjs');
  writeFileSync(path, code);
  return path;
}

describe('mergeSkipped', () => {
  it('tells of parts what it would tell of the whole, in any order and grouping, each sample once', () => {
    const whole = Array.from({ length: 9 }, (_, i) => ({ position: 2 * i, why: `sample ${2 * i}` }));
    const parts = fc.array(fc.subarray(whole), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(parts, (found) => {
        const [a, b, c] = found.map(recordSkipped);
        const all = whole.filter((each) => found.some((part) => part.includes(each)));
        const left = mergeSkipped(mergeSkipped(a, b), c);
        expect(left).toEqual(recordSkipped(all));
        expect(mergeSkipped(c, mergeSkipped(b, a))).toEqual(left);
      }),
    );
  });
});

describe('--skip-bad', () => {
  it('leaves out images that cannot be decoded, and says which', async () => {
    const path = await images([0, 3, 5, 6]);
    const strict = await failure(readAll(await openData({ path }, [pixels])));
    expect([strict.code, strict.hint]).toEqual(['DATA_IMAGE', expect.stringContaining('--skip-bad')]);
    const dataset = await openData({ path, skipBad: true }, [pixels]);
    const ids = async (selection?: number[]) => (await readAll(dataset, selection)).map(({ id }) => id);
    const warnings = () => skippedWarnings(recordSkipped(dataset.skipped!({ from: 0 })));
    expect(warnings()).toEqual([]);
    expect(await ids()).toEqual(['1.png', '2.png', '4.png', '7.png']);
    expect(await ids([2, 3, 4])).toEqual(['2.png', '4.png']);
    expect(dataset.skipped!({ from: 0 }).map(({ position }) => position)).toEqual([0, 3, 5, 6]);
    expect(dataset.skipped!([2, 3, 4]).map(({ why }) => why)).toEqual([expect.stringContaining('3.png')]);
    expect(warnings()[0]).toMatch(/^4 bad samples were left out: .*0\.png.*3\.png.*5\.png.*and 1 more$/);
  });

  it('leaves out wrong shapes and values of a stream that goes on', async () => {
    const path = reader(`export default function* () {
      yield { x: { data: new Float32Array(2), dims: [1, 2] }, label: 1 };
      yield { x: new Float32Array(3), label: 2 };
      yield { x: Float32Array.of(1, NaN, 2), label: 3 };
      yield { x: 'text' };
      yield { x: Float32Array.of(1, 2, 3), label: 5 };
    }`);
    const dataset = await openData({ path, skipBad: true }, [input('x', ['N', 3])]);
    expect((await readAll(dataset)).map(({ label }) => label)).toEqual([2, 5]);
    expect(dataset.skipped!({ from: 0 }).map(({ position }) => position)).toEqual([0, 2, 3]);
    expect((await readAll(dataset, { from: 2 } as never)).map(({ label }) => label)).toEqual([5]);
  });

  it('does not hide an error that ends a stream', async () => {
    const path = reader('export default function* () { yield new Float32Array(3); throw new Error("boom"); }');
    const dataset = await openData({ path, skipBad: true }, [input('x', ['N', 3])]);
    expect((await failure(readAll(dataset))).code).toBe('READER_FAILED');
  });

  it('takes the labels of the first good sample', async () => {
    const path = reader('export default [null, { x: new Float32Array(3), label: 4 }]');
    expect(await openData({ path, skipBad: true }, [input('x', ['N', 3])])).toMatchObject({ labelled: true, count: 2 });
  });

  it('leaves bad samples out of the places of a part', async () => {
    const dataset = await openData({ path: await images([1, 4]), skipBad: true }, [pixels]);
    const part = partOf(dataset, [1, 2, 4, 5, 7], () => true);
    await readAll(part.dataset, part.selection as number[]);
    expect([part.places(1), part.places(3)]).toEqual([[1], [1, 3, 4]]);
  });
});
