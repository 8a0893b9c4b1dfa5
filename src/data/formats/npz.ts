/**
 * An .npz archive: arrays named after the inputs, and `labels` (or `y`) if any. Stored members (numpy.savez) are read
 * in place; compressed ones are inflated into memory once.
 */
import { basename } from 'node:path';
import type { TypedArray } from '../../onnx/data-types.ts';
import { arrayDataset, checkLabels, pairArrays, type Column } from '../arrays.ts';
import { openFile, type RandomAccess } from '../bytes.ts';
import { readNpyHeader, rowReader, type NpyHeader } from '../npy-array.ts';
import type { Dataset } from '../sample.ts';
import { openEntry, readZipDirectory, type ZipEntry } from '../zip.ts';
import type { Format, OpenRequest } from './format.ts';

export const npz: Format = {
  name: 'npz',
  accepts: 'an .npz with arrays named after the inputs, and labels if any',
  preprocesses: false,
  detect: ({ extension }) => extension === '.npz',
  open: openNpz,
};

async function openNpz({ target: { path }, inputs }: OpenRequest): Promise<Dataset> {
  const file = await openFile(path);
  try {
    const entries = await readZipDirectory(file);
    const members = new Map(entries.map((entry) => [entry.name.replace(/\.npy$/, ''), entry]));
    const { pairs, labels } = pairArrays([...members.keys()], inputs, path);

    const inflated = new Map<string, Promise<RandomAccess>>();
    const content = (archive: RandomAccess, name: string): Promise<RandomAccess> => {
      const entry = members.get(name)!;
      if (entry.method === 0) return openEntry(archive, entry);
      const kept = inflated.get(name) ?? openEntry(archive, entry);
      inflated.set(name, kept);
      return kept;
    };
    const columns: (Column & { readonly header: NpyHeader })[] = [];
    for (const [name, input] of pairs)
      columns.push({ name, input, header: await readNpyHeader(await content(file, name)) });
    return arrayDataset({
      source: path,
      format: 'npz',
      columns,
      labels: labels === undefined ? undefined : await readLabels(file, members.get(labels)!, path),
      idBase: basename(path),
      async open() {
        const archive = await openFile(path);
        try {
          const rows = new Map<string, (row: number) => Promise<TypedArray>>();
          for (const { name, header } of columns) rows.set(name, rowReader(header, await content(archive, name)));
          return { row: (name, position) => rows.get(name)!(position), close: () => archive.close() };
        } catch (error) {
          await archive.close();
          throw error;
        }
      },
    });
  } finally {
    await file.close();
  }
}

async function readLabels(file: RandomAccess, entry: ZipEntry, path: string): Promise<number[]> {
  const content = await openEntry(file, entry);
  const header: NpyHeader = await readNpyHeader(content);
  checkLabels(header, path);
  const whole = rowReader({ ...header, shape: [1, header.shape[0]!] }, content);
  return Array.from((await whole(0)) as Iterable<number | bigint>, Number);
}
