/** The labels of a folder of images or sounds: from a labels.csv, from class folders, or none. */
import { dataErrors } from '../errors/data.ts';

export const labelsFile = 'labels.csv';

export interface LabelledFile {
  readonly name: string;
  readonly label: number | undefined;
}

/**
 * Class folders: the label is the index of the first folder in code unit order (as torchvision's ImageFolder has it).
 * A flat folder has no labels; a mixture of both is ambiguous. `names` are relative to `where` and sorted.
 */
export function labelsFromFolders(names: readonly string[], where: string): LabelledFile[] {
  const flat = names.filter((name) => !name.includes('/'));
  if (flat.length === names.length) return names.map((name) => ({ name, label: undefined }));
  if (flat.length > 0) throw dataErrors.mixedLayout(where, flat[0]!);
  const classOf = (name: string): string => name.slice(0, name.indexOf('/'));
  const classes = [...new Set(names.map(classOf))].sort();
  const index = new Map(classes.map((name, i) => [name, i]));
  return names.map((name) => ({ name, label: index.get(classOf(name)) }));
}

/**
 * A table with a header: column `file`, and `class_index` (integers) or `label` (integers, or class names, which are
 * numbered in code unit order). The table is the list of samples: files it does not name are not used.
 */
export function labelsFromTable(text: string, names: readonly string[], where: string): LabelledFile[] {
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
  const known = new Set(names);
  const seen = new Set<string>();
  const files = rows.map((row, i) => {
    const name = row[file] ?? '';
    if (!known.has(name)) throw dataErrors.labelsRow(where, i + 2, `there is no file '${name}'`);
    if (seen.has(name)) throw dataErrors.labelsRow(where, i + 2, `'${name}' is listed twice`);
    seen.add(name);
    return { name, label: numbered ? Number(cells[i]) : classes.indexOf(cells[i]!) };
  });
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** RFC 4180: quoted fields may hold commas, line breaks and doubled quotes. Empty lines are skipped. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  const source = text.replace(/^\uFEFF/, '');
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
