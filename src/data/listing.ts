/** The files of a folder or an archive that are samples, with the labels that their places or a table give them. */
import { dataErrors } from '../errors/data.ts';
import type { FileTree } from './file-tree.ts';
import { labelsFile, labelsFromFolders, labelsFromTable, type LabelledFile } from './labels.ts';

const splitNames = new Set(['train', 'training', 'val', 'valid', 'validation', 'test', 'testing', 'eval']);

/**
 * The files below the root whose names match, sorted, with their labels.
 * @param none the error when there are none, made from the place and the names that are there
 */
export async function listFiles(
  tree: FileTree,
  pattern: RegExp,
  none: (path: string, names: readonly string[]) => Error,
): Promise<LabelledFile[]> {
  const root = rootOf(tree.names, pattern);
  const below = tree.names.filter((name) => name.startsWith(root)).map((name) => name.slice(root.length));
  const wanted = below.filter((name) => pattern.test(name));
  if (wanted.length === 0) throw none(tree.path, below);
  const where = `${tree.path}/${root}${labelsFile}`;
  const files = below.includes(labelsFile)
    ? labelsFromTable(await readText(tree, root + labelsFile), wanted, where)
    : labelsFromFolders(refuseSplits(wanted, tree.path), tree.path);
  if (files.length === 0) throw none(where, below);
  return files.map(({ name, label }) => ({ name: root + name, label }));
}

/** The common folder that archives are often wrapped in: one that holds everything, and folders or labels.csv. */
function rootOf(names: readonly string[], pattern: RegExp): string {
  const first = names[0]?.split('/') ?? [];
  if (first.length < 2) return '';
  const root = `${first[0]}/`;
  const inner = names.map((name) => name.slice(root.length));
  const wraps =
    inner.includes(labelsFile) || inner.filter((name) => pattern.test(name)).every((name) => name.includes('/'));
  return names.every((name) => name.startsWith(root)) && wraps ? root : '';
}

/** `train` and `val` are not classes; labels made from them would be silently wrong. */
function refuseSplits(names: readonly string[], path: string): readonly string[] {
  const folders = [...new Set(names.map((name) => name.split('/')[0]!))];
  const nested = names.every((name) => name.split('/').length > 2);
  if (nested && folders.every((name) => splitNames.has(name.toLowerCase())))
    throw dataErrors.splitFolders(path, folders);
  return names;
}

async function readText(tree: FileTree, name: string): Promise<string> {
  const reader = await tree.open();
  try {
    return (await reader.read(name)).toString('utf8');
  } finally {
    await reader.close();
  }
}
