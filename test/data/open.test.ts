import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { failure, input, npyFile, readAll, temporaryFolder } from './helpers.ts';

const x = input('x', ['N', 3]);

describe('openData', () => {
  it('explains --data when there is none', async () => {
    const error = await failure(openData({}, [x]));
    expect([error.code, error.kind]).toEqual(['DATA_NONE', 'usage']);
    expect(error.hint).toMatch(/npy.*images.*--data random/s);
  });

  it('names the missing part of a path and its nearest sibling', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'images', 'val'), { recursive: true });
    const error = await failure(openData({ path: join(root, 'imagse', 'val') }, [x]));
    expect([error.code, error.message, error.hint]).toEqual([
      'DATA_NOT_FOUND',
      expect.stringContaining(join(root, 'imagse')),
      expect.stringContaining("'images'"),
    ]);
    expect((await failure(openData({ path: join(root, 'images', 'vla') }, [x]))).hint).toContain("'val'");
    expect((await failure(openData({ path: 'randon' }, [x]))).hint).toContain("'random'");
    expect((await failure(openData({ reader: join(root, 'none.mjs') }, [x]))).code).toBe('DATA_NOT_FOUND');
  });

  it('refuses what it does not know', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'a.parquet'), 'x');
    writeFileSync(join(root, 'a.npy'), npyFile('<f4', [1, 3], new Float32Array(3)));
    expect((await failure(openData({ path: join(root, 'a.parquet') }, [x]))).code).toBe('DATA_FORMAT');
    expect((await failure(openData({ path: root, reader: 'r.mjs' }, [x]))).code).toBe('DATA_TWICE');
    expect((await failure(openData({ path: join(root, 'a.npy'), preprocess: 'imagenet' }, [x]))).code).toBe(
      'PREPROCESS_NOT_IMAGES',
    );
    expect(await readAll(await openData({ path: join(root, 'a.npy') }, [x]))).toHaveLength(1);
  });
});

describe('random data', () => {
  it('is marked, repeatable, and the same whichever samples are read', async () => {
    const dataset = await openData({ path: 'random', seed: 5, count: 4 }, [x, input('n', [2], 'int64')]);
    expect(dataset).toMatchObject({ format: 'random', synthetic: true, count: 4, labelled: false });
    const all = await readAll(dataset);
    expect(all.map(({ id }) => id)).toEqual(['random#0', 'random#1', 'random#2', 'random#3']);
    expect(await readAll(dataset, [2])).toEqual([all[2]]);
    expect(all[0]!.inputs['x']!.dims).toEqual([1, 3]);
    expect(all[0]!.inputs['n']!.data).toEqual(new BigInt64Array(2));
    expect(all[0]).not.toEqual({ ...all[1], id: 'random#0' });
    const other = await readAll(await openData({ path: 'random', seed: 6 }, [x]));
    expect(other[0]!.inputs['x']).not.toEqual(all[0]!.inputs['x']);
  });

  it('needs to know every dimension but the batch', async () => {
    expect((await failure(openData({ path: 'random' }, [input('x', ['N', 'length'])]))).code).toBe('DATA_RANDOM_SHAPE');
    const vast = await openData({ path: 'random' }, [input('x', ['N', 2 ** 53 - 1])]);
    expect((await failure(vast.samples([0])[Symbol.asyncIterator]().next())).code).toBe('DATA_RANDOM_SIZE');
  });

  it('refuses types it cannot make', async () => {
    const dataset = await openData({ path: 'random' }, [input('x', [1], 'bfloat16')]);
    expect((await failure(readAll(dataset))).code).toBe('DATA_TYPE_UNSUPPORTED');
  });
});
