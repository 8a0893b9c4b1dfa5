/** A folder or a zip archive as one thing: a sorted list of file names and a way to read each. Hidden files are left out. */
import { opendir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataErrors } from '../errors/data.ts';
import { openFile } from './random-access.ts';
import { NameCollector, type Names } from './names.ts';
import { readEntry, readZipDirectory } from './zip.ts';

/** A folder is read in portions, so that a large one is never in memory as objects. */
export const entriesAtOnce = 256;

export interface FileTree {
  readonly path: string;
  /** Relative to the root, separated by '/', in code unit order: the same on every machine. */
  readonly names: Names;
  open(): Promise<TreeReader>;
}

export interface TreeReader {
  read(name: string): Promise<Buffer>;
  close(): Promise<void>;
}

export async function folderTree(path: string): Promise<FileTree> {
  const names = new NameCollector();
  await walk(path, '', names, []);
  const read = (name: string): Promise<Buffer> =>
    readFile(join(path, name)).catch((cause: unknown) => {
      throw dataErrors.unreadable(join(path, name), cause);
    });
  return { path, names: names.sorted(), open: () => Promise.resolve({ read, close: () => Promise.resolve() }) };
}

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
