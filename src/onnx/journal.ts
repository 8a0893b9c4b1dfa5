/**
 * What a long writing remembers beside its file, so that one that was stopped goes on: a line for each piece that is whole, with its
 * length and its hash. What is found again is hashed and compared before it is trusted, and only an unbroken beginning is kept, so
 * that the file ends with the bytes that it would have had.
 */
import { createHash, type Hash } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';

export class Journal {
  readonly path: string;
  /** Where the unfinished file stands. */
  readonly file: string;
  /** Pieces that are there already, and their bytes. */
  readonly pieces: number;
  readonly byteLength: number;
  #hash: Hash = createHash('sha256');
  #length = 0;

  /**
   * @param base path of the unfinished file; the journal stands beside it
   * @param key of everything that decides the bytes: what was written under another one is forgotten
   * @param lengths of all pieces, in order
   */
  constructor(base: string, key: string, lengths: readonly number[]) {
    this.file = base;
    this.path = `${base}.journal`;
    const kept = verified(base, linesOf(this.path, key), lengths);
    this.pieces = kept.length;
    this.byteLength = lengths.slice(0, kept.length).reduce((sum, length) => sum + length, 0);
    writeFileSync(this.path, [key, ...kept, ''].join('\n'));
  }

  /** Told of every byte that is written after those that were there. */
  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** A piece is whole. What of it has not reached the file yet will be missed when it is verified. */
  mark(): void {
    appendFileSync(this.path, `${this.#length} ${this.#hash.digest('hex')}\n`);
    this.#hash = createHash('sha256');
    this.#length = 0;
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

function linesOf(path: string, key: string): string[] {
  try {
    const [first, ...lines] = readFileSync(path, 'utf8').split('\n');
    // The last one is empty, or was being written.
    return first === key ? lines.slice(0, -1) : [];
  } catch {
    return [];
  }
}

/** The lines whose pieces are in the file as they say, up to the first that is not. */
function verified(path: string, lines: readonly string[], lengths: readonly number[]): string[] {
  if (lines.length === 0) return [];
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return [];
  }
  const buffer = new Uint8Array(2 ** 20);
  const kept: string[] = [];
  try {
    for (const [index, line] of lines.entries()) {
      const length = lengths[index];
      if (length === undefined) break;
      const hash = createHash('sha256');
      let left = length;
      while (left > 0) {
        const count = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
        if (count === 0) return kept;
        hash.update(buffer.subarray(0, count));
        left -= count;
      }
      if (line !== `${length} ${hash.digest('hex')}`) break;
      kept.push(line);
    }
  } finally {
    closeSync(fd);
  }
  return kept;
}
