/** The files of a folder or an archive that are samples, with the labels that their places or a table give them. */
import { dataErrors } from '../errors/data.ts';
import type { FileTree } from './file-tree.ts';
import { labelsFile, labelsFromFolders, labelsFromTable, type LabelledFile } from './labels.ts';
import type { Names } from './names.ts';

const splitNames = new Set(['train', 'training', 'val', 'valid', 'validation', 'test', 'testing', 'eval']);

/** What a place holds where no samples are: its first name below the root, if any, and how many. */
export interface Found {
  readonly first: string | undefined;
  readonly count: number;
}

/** In order of their names. A folder may hold millions: they are kept as ranks and numbers. */
export class FileList {
  readonly length: number;
  readonly #names: Names;
  readonly #ranks: Uint32Array;
  readonly #labels: Float64Array | undefined;

  constructor(names: Names, ranks: Uint32Array, labels: Float64Array | undefined) {
    this.length = ranks.length;
    this.#names = names;
    this.#ranks = ranks;
    this.#labels = labels;
  }

  get labelled(): boolean {
    return this.#labels !== undefined;
  }

  at(position: number): LabelledFile {
    return { name: this.#names.at(this.#ranks[position]!), label: this.#labels?.[position] };
  }
}

/**
 * The files below the root whose names match, sorted, with their labels.
 * @param none the error when there are none, made from the place and what is there
 */
export async function listFiles(
  tree: FileTree,
  pattern: RegExp,
  none: (path: string, found: Found) => Error,
): Promise<FileList> {
  const { names } = tree;
  const root = rootOf(names, pattern);
  const wanted = names.ranks((name) => pattern.test(name.slice(root.length)));
  const found = { first: names.length > 0 ? names.at(0).slice(root.length) : undefined, count: names.length };
  if (wanted.length === 0) throw none(tree.path, found);
  const where = `${tree.path}/${root}${labelsFile}`;
  if (names.indexOf(root + labelsFile) < 0) {
    const below = { length: wanted.length, at: (i: number) => names.at(wanted[i]!).slice(root.length) };
    refuseSplits(below, tree.path);
    return new FileList(names, wanted, labelsFromFolders(below, tree.path));
  }
  const rankOf = (name: string): number => (pattern.test(name) ? names.indexOf(root + name) : -1);
  const { ranks, labels } = labelsFromTable(await readText(tree, root + labelsFile), rankOf, where);
  if (ranks.length === 0) throw none(where, found);
  return new FileList(names, ranks, labels);
}

/** The common folder that archives are often wrapped in: one that holds everything, and folders or labels.csv. */
function rootOf(names: Names, pattern: RegExp): string {
  if (names.length === 0) return '';
  const first = names.at(0);
  const root = first.slice(0, first.indexOf('/') + 1);
  // Between two names that begin alike, all in their order do.
  if (root === '' || !names.at(names.length - 1).startsWith(root)) return '';
  const flat = (name: string): boolean => !name.includes('/', root.length) && pattern.test(name.slice(root.length));
  return names.indexOf(root + labelsFile) >= 0 || !names.some(flat) ? root : '';
}

/** `train` and `val` are not classes; labels made from them would be silently wrong. */
function refuseSplits(names: Pick<Names, 'length' | 'at'>, path: string): void {
  const folders = new Set<string>();
  for (let i = 0; i < names.length; i++) {
    const parts = names.at(i).split('/');
    if (parts.length < 3 || !splitNames.has(parts[0]!.toLowerCase())) return;
    folders.add(parts[0]!);
  }
  throw dataErrors.splitFolders(path, [...folders]);
}

async function readText(tree: FileTree, name: string): Promise<string> {
  const reader = await tree.open();
  try {
    return (await reader.read(name)).toString('utf8');
  } finally {
    await reader.close();
  }
}
