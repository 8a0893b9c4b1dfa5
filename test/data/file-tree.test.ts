import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderTree, NameCollector, type Names } from '../../src/data/file-tree.ts';
import { listFiles } from '../../src/data/labelled-files.ts';
import { temporaryFolder } from './helpers.ts';

function namesOf(list: readonly string[]): Names {
  const names = new NameCollector();
  for (const name of list) names.add(name);
  return names.sorted();
}

/** Characters of one to four bytes; U+E000 and up sort after those above U+FFFF in UTF-16, before them in UTF-8. */
const character = fc.constantFrom('a', 'b', '-', '/', '0', 'é', 'ߐ', '中', '\uE000', '\uFFFD', '😀', '𝄞');
const name = fc.array(character, { minLength: 1, maxLength: 6 }).map((each) => each.join(''));

describe('names', () => {
  it('come in the order of JavaScript, and are found again', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 60 }), name, (list, other) => {
        const names = namesOf(list);
        const sorted = [...list].sort();
        expect([...names]).toEqual(sorted);
        expect(sorted.map((each) => names.indexOf(each))).toEqual(sorted.map((_, i) => i));
        expect(names.indexOf(other)).toBe(sorted.indexOf(other));
        const test = (each: string): boolean => each.length > 3;
        expect(names.filter(test)).toEqual(sorted.filter(test));
        expect(names.some(test)).toBe(sorted.some(test));
        expect(Array.from(names.ranks(test), (rank) => names.at(rank))).toEqual(sorted.filter(test));
      }),
    );
  });

  it.each([0, 1, 1023, 1024, 1025, 3000])('fill blocks: %i names', (count) => {
    const list = Array.from({ length: count }, (_, i) => `${'x'.repeat(i % 7)}${(i * 7919) % 3001}`);
    expect([...namesOf(list)]).toEqual([...list].sort());
  });
});

describe('a folder of class folders', () => {
  it('numbers its classes in code unit order, whatever the order of the paths', async () => {
    const root = temporaryFolder();
    // The paths sort 'a-b/x' before 'a/x', the classes 'a' before 'a-b'.
    for (const folder of ['a', 'a-b', 'z']) {
      mkdirSync(join(root, folder));
      for (const file of ['2.png', '1.png', 'note.txt']) writeFileSync(join(root, folder, file), '');
    }
    const files = await listFiles(await folderTree(root), /\.png$/, () => new Error('none'));
    expect(files.labelled).toBe(true);
    expect(Array.from({ length: files.length }, (_, i) => files.at(i))).toEqual([
      { name: 'a-b/1.png', label: 1 },
      { name: 'a-b/2.png', label: 1 },
      { name: 'a/1.png', label: 0 },
      { name: 'a/2.png', label: 0 },
      { name: 'z/1.png', label: 2 },
      { name: 'z/2.png', label: 2 },
    ]);
  });
});
