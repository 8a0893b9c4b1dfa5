/**
 * The files of a folder or an archive that are samples (images, sounds), with their labels: from a labels.csv, from class folders, or none.
 * A folder may hold millions of files: they are kept as ranks among the sorted names (file-tree.ts) and as numbers, and strings are made on
 * demand.
 */
import { dataErrors } from '../errors/data.ts';
import { withoutMark } from '../onnx/strings.ts';
import type { Names, FileTree } from './file-tree.ts';

const splitNames = new Set(['train', 'training', 'val', 'valid', 'validation', 'test', 'testing', 'eval']);

/** What a place holds, for the error when no samples are there: its first name below the root, if any, and how many. */
interface FolderContent {
  readonly first: string | undefined;
  readonly count: number;
}

/** Files and labels in the order of the names. */
export class LabelledFiles {
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
  none: (path: string, found: FolderContent) => Error,
): Promise<LabelledFiles> {
  const { names } = tree;
  const root = rootOf(names, pattern);
  const wanted = names.ranks((name) => pattern.test(name.slice(root.length)));
  const found = { first: names.length > 0 ? names.at(0).slice(root.length) : undefined, count: names.length };
  if (wanted.length === 0) throw none(tree.path, found);
  const where = `${tree.path}/${root}${labelsFile}`;
  if (names.indexOf(root + labelsFile) < 0) {
    const below = { length: wanted.length, at: (i: number) => names.at(wanted[i]!).slice(root.length) };
    refuseSplits(below, tree.path);
    return new LabelledFiles(names, wanted, labelsFromFolders(below, tree.path));
  }
  const rankOf = (name: string): number => (pattern.test(name) ? names.indexOf(root + name) : -1);
  const { ranks, labels } = labelsFromTable(await readText(tree, root + labelsFile), rankOf, where);
  if (ranks.length === 0) throw none(where, found);
  return new LabelledFiles(names, ranks, labels);
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

const labelsFile = 'labels.csv';

/** A file and its label. */
export interface LabelledFile {
  readonly name: string;
  readonly label: number | undefined;
}

/**
 * Labels from class folders: the label is the index of the first folder in code unit order (as torchvision's ImageFolder has it).
 * A flat folder has no labels; a mixture of both is ambiguous. `names` are relative to `where` and sorted.
 * @returns a label per name
 */
function labelsFromFolders(names: Pick<Names, 'length' | 'at'>, where: string): Float64Array | undefined {
  const classes = new Map<string, number>();
  const labels = new Float64Array(names.length);
  let flat: string | undefined;
  for (let i = 0; i < names.length; i++) {
    const name = names.at(i);
    const end = name.indexOf('/');
    if (end < 0) flat ??= name;
    else labels[i] = classes.get(name.slice(0, end)) ?? added(classes, name.slice(0, end));
  }
  if (classes.size === 0) return undefined;
  if (flat !== undefined) throw dataErrors.mixedLayout(where, flat);
  // Sorted paths do not have their folders sorted: 'a-b/x' comes before 'a/x', but 'a' before 'a-b'.
  const order = new Float64Array(classes.size);
  [...classes.keys()].sort().forEach((name, label) => (order[classes.get(name)!] = label));
  return labels.map((seen) => order[seen]!);
}

/** Numbers a class that is seen for the first time. */
function added(classes: Map<string, number>, name: string): number {
  classes.set(name, classes.size);
  return classes.size - 1;
}

/**
 * Labels from a table with a header: column `file`, and `class_index` (integers) or `label` (integers, or class names, which are
 * numbered in code unit order). The table is the list of samples: files it does not name are not used.
 * @param rankOf the rank of a sample among all names, -1 where there is none
 * @returns ranks, ascending, and their labels
 */
function labelsFromTable(
  text: string,
  rankOf: (name: string) => number,
  where: string,
): { ranks: Uint32Array; labels: Float64Array } {
  const [header = [], ...rows] = parseCsv(text);
  const file = header.indexOf('file');
  const column = header.includes('class_index') ? 'class_index' : 'label';
  const label = header.indexOf(column);
  if (file < 0 || label < 0) throw dataErrors.labelsHeader(where, header);
  const cells = rows.map((row) => row[label] ?? '');
  const numbered = cells.every((cell) => /^\d+$/.test(cell));
  if (!numbered && column === 'class_index') {
    const row = cells.findIndex((cell) => !/^\d+$/.test(cell));
    throw dataErrors.labelsRow(where, row + 2, `class_index '${cells[row]}' is not a class index`);
  }
  const classes = numbered ? [] : [...new Set(cells)].sort();
  const index = new Map(classes.map((name, i) => [name, i]));
  const seen = new Set<number>();
  const files = rows.map((row, i) => {
    const name = row[file] ?? '';
    const rank = rankOf(name);
    if (rank < 0) throw dataErrors.labelsRow(where, i + 2, `there is no file '${name}'`);
    if (seen.has(rank)) throw dataErrors.labelsRow(where, i + 2, `'${name}' is listed twice`);
    seen.add(rank);
    return { rank, label: numbered ? Number(cells[i]) : index.get(cells[i]!)! };
  });
  files.sort((a, b) => a.rank - b.rank);
  return {
    ranks: Uint32Array.from(files, ({ rank }) => rank),
    labels: Float64Array.from(files, ({ label }) => label),
  };
}

/** RFC 4180: quoted fields may hold commas, line breaks and doubled quotes. Empty lines are skipped. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  const source = withoutMark(text);
  while (field.lastIndex < source.length) {
    const match = field.exec(source);
    if (!match) throw dataErrors.csvQuote(rows.length + 1);
    row.push(match[1]?.replaceAll('""', '"') ?? match[2]!.trim());
    if (match[3] === ',' && field.lastIndex < source.length) continue;
    if (match[3] === ',') row.push('');
    if (row.some((cell) => cell !== '')) rows.push(row);
    row = [];
  }
  return rows;
}
