/** What a journal finds again: an unbroken beginning whose pieces are what they were, under the same key. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Journal } from '../../src/onnx/journal.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-journal-'));
const lengths = [3, 0, 4, 5];
let files = 0;

/** A file of all pieces, and its journal of the first three. */
function written(): string {
  const path = join(folder, `${files++}`);
  writeFileSync(path, 'abcdefghijkl');
  const journal = new Journal(path, 'key', lengths);
  for (const piece of ['abc', '', 'defg']) {
    journal.add(new TextEncoder().encode(piece));
    journal.mark();
  }
  return path;
}

const found = (path: string, key = 'key', sizes = lengths): [number, number] => {
  const { pieces, byteLength } = new Journal(path, key, sizes);
  return [pieces, byteLength];
};

it('goes on behind the last whole piece, again and again', () => {
  const path = written();
  expect(found(path)).toEqual([3, 7]);
  const again = new Journal(path, 'key', lengths);
  again.add(new TextEncoder().encode('hijkl'));
  again.mark();
  expect(found(path)).toEqual([4, 12]);
});

it.each<[string, (path: string) => unknown, [number, number]]>([
  ['a changed byte', (path) => writeFileSync(path, 'abcdeFghijkl'), [2, 3]],
  ['a file cut off', (path) => writeFileSync(path, 'abcd'), [2, 3]],
  ['no file', (path) => rmSync(path), [0, 0]],
  [
    'a line cut off',
    (path) => writeFileSync(`${path}.journal`, readFileSync(`${path}.journal`).subarray(0, -9)),
    [2, 3],
  ],
])('does not trust %s', (_, spoil, expected) => {
  const path = written();
  spoil(path);
  expect(found(path)).toEqual(expected);
});

it('forgets what was written under another key or in other pieces', () => {
  expect(found(written(), 'other')).toEqual([0, 0]);
  expect(found(written(), 'key', [4, 8])).toEqual([0, 0]);
});
