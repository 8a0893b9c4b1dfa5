/**
 * A folder or a zip archive as one thing: a sorted list of file names and a way to read each. Hidden files are left out.
 *
 * The names of millions of files take little memory: their UTF-8 bytes in blocks of 1,024 names and a permutation that sorts them, some
 * eight bytes a name beside its own; a string is made only when one is asked for. The order is that of JavaScript's sort (UTF-16 code
 * units).
 */
import { opendir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataErrors } from '../errors/data.ts';
import { openFile } from './random-access.ts';
import { readEntry, readZipDirectory } from './zip.ts';

/** A folder is read in portions, so that a large one is never in memory as objects. */
export const entriesAtOnce = 256;

/** Files below one root. */
export interface FileTree {
  readonly path: string;
  /** Relative to the root, separated by '/', in code unit order: the same on every machine. */
  readonly names: Names;
  open(): Promise<TreeReader>;
}

interface TreeReader {
  read(name: string): Promise<Buffer>;
  close(): Promise<void>;
}

/** The files below a folder. */
export async function folderTree(path: string): Promise<FileTree> {
  const names = new NameCollector();
  await walk(path, '', names, []);
  const read = (name: string): Promise<Buffer> =>
    readFile(join(path, name)).catch((cause: unknown) => {
      throw dataErrors.unreadable(join(path, name), cause);
    });
  return { path, names: names.sorted(), open: () => Promise.resolve({ read, close: () => Promise.resolve() }) };
}

/** The files in an archive. */
export async function zipTree(path: string): Promise<FileTree> {
  const archive = await openFile(path);
  try {
    const entries = (await readZipDirectory(archive)).filter(({ name }) => !name.split('/').some(isHidden));
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    const names = new NameCollector();
    for (const name of byName.keys()) names.add(name);
    return {
      path,
      names: names.sorted(),
      async open() {
        const file = await openFile(path);
        return { read: (name) => readEntry(file, byName.get(name)!), close: () => file.close() };
      },
    };
  } finally {
    await archive.close();
  }
}

/** Symbolic links are followed; `above` holds the real folders on the way down, so that a loop of links ends. */
async function walk(folder: string, prefix: string, names: NameCollector, above: readonly string[]): Promise<void> {
  const real = await realpath(folder);
  if (above.includes(real)) return;
  for await (const entry of await opendir(folder, { bufferSize: entriesAtOnce })) {
    if (isHidden(entry.name)) continue;
    const path = join(folder, entry.name);
    const kind = entry.isSymbolicLink() ? await stat(path).catch(() => entry) : entry;
    if (kind.isDirectory()) await walk(path, `${prefix}${entry.name}/`, names, [...above, real]);
    else names.add(prefix + entry.name);
  }
}

/** Dot files, and the folder that macOS adds to its archives. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name === '__MACOSX';
}

/** Names in a block. */
const blockSize = 1024;

interface Block {
  readonly bytes: Buffer;
  /** Where each name of the block ends. */
  readonly ends: Uint32Array;
}

/** Collects names in any order; `sorted` ends it. */
export class NameCollector {
  readonly #blocks: Block[] = [];
  #pending: string[] = [];

  add(name: string): void {
    this.#pending.push(name);
    if (this.#pending.length === blockSize) this.#flush();
  }

  sorted(): Names {
    const count = this.#blocks.length * blockSize + this.#pending.length;
    this.#flush();
    return new Names(this.#blocks, count);
  }

  #flush(): void {
    const ends = new Uint32Array(this.#pending.length);
    this.#pending.forEach((name, i) => (ends[i] = (ends[i - 1] ?? 0) + Buffer.byteLength(name)));
    const bytes = Buffer.allocUnsafeSlow(ends.at(-1) ?? 0);
    this.#pending.forEach((name, i) => bytes.write(name, ends[i - 1] ?? 0));
    this.#blocks.push({ bytes, ends });
    this.#pending = [];
  }
}

/** A sorted list of names. */
export class Names {
  static readonly none = new Names([], 0);

  readonly length: number;
  readonly #blocks: readonly Block[];
  /** The places of the names in their blocks, in ascending order of the names; made when the order is first asked for. */
  #order: Uint32Array | undefined;

  constructor(blocks: readonly Block[], count: number) {
    this.length = count;
    this.#blocks = blocks;
  }

  /** The name of a rank. */
  at(rank: number): string {
    this.#order ??= Uint32Array.from({ length: this.length }, (_, i) => i).sort((a, b) => this.#compare(a, b));
    return this.#read(this.#order[rank]!);
  }

  /** The rank of a name, or -1. */
  indexOf(name: string): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle) < name) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.at(low) === name ? low : -1;
  }

  some(test: (name: string) => boolean): boolean {
    for (let place = 0; place < this.length; place++) if (test(this.#read(place))) return true;
    return false;
  }

  /** The names that pass, ascending. */
  filter(test: (name: string) => boolean): string[] {
    const found: string[] = [];
    for (let place = 0; place < this.length; place++) {
      const name = this.#read(place);
      if (test(name)) found.push(name);
    }
    return found.sort();
  }

  /** The ranks of the names that pass, ascending. */
  ranks(test: (name: string) => boolean): Uint32Array {
    const found = new Uint32Array(this.length);
    let count = 0;
    for (let rank = 0; rank < this.length; rank++) if (test(this.at(rank))) found[count++] = rank;
    return count === this.length ? found : found.slice(0, count);
  }

  *[Symbol.iterator](): Generator<string> {
    for (let rank = 0; rank < this.length; rank++) yield this.at(rank);
  }

  #read(place: number): string {
    const { bytes, ends } = this.#blocks[Math.floor(place / blockSize)]!;
    return bytes.toString('utf8', ends[(place % blockSize) - 1] ?? 0, ends[place % blockSize]);
  }

  #compare(a: number, b: number): number {
    const [first, second] = [this.#blocks[Math.floor(a / blockSize)]!, this.#blocks[Math.floor(b / blockSize)]!];
    const [i, j] = [a % blockSize, b % blockSize];
    let at = first.ends[i - 1] ?? 0;
    let to = second.ends[j - 1] ?? 0;
    const [end, stop] = [first.ends[i]!, second.ends[j]!];
    while (at < end && to < stop && first.bytes[at] === second.bytes[to]) {
      at++;
      to++;
    }
    if (at === end || to === stop) return end - at - (stop - to);
    return codeUnitOrder(first.bytes[at]!) - codeUnitOrder(second.bytes[to]!);
  }
}

/**
 * UTF-8 sorts by code point; UTF-16 differs only in that the code points above U+FFFF (first byte F0 and up), as surrogates, come
 * before U+E000 to U+FFFF (first bytes EE and EF).
 */
function codeUnitOrder(byte: number): number {
  return byte === 0xee || byte === 0xef ? byte + 0x10 : byte;
}
