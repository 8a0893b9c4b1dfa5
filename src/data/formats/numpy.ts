/**
 * NumPy's files: one .npy array for a model with one input, and .npz archives with arrays named after the inputs, and `labels` (or `y`) if
 * any. Rows along the first axis are read where they lie, so that an array may be larger than memory. Stored members of an archive
 * (numpy.savez) are read in place, too; compressed ones are inflated into memory once.
 *
 * The .npy format is NEP 1, versions 1 to 3: a header, then the elements. Fortran order, which scatters rows, is loaded and reordered once.
 */
import { basename } from 'node:path';
import { dataType, elementCount, type DataTypeName, type TypedArray } from '../../onnx/data-types.ts';
import { textNumbers } from '../../onnx/strings.ts';
import { dataErrors } from '../../errors/data.ts';
import { type RandomAccess, openFile } from '../random-access.ts';
import { own } from '../../graph/names.ts';
import { arrayDataset, checkLabels, pairArrays, type Column } from '../arrays.ts';
import type { Dataset } from '../sample.ts';
import { openEntry, readZipDirectory, type ZipEntry } from '../zip.ts';
import type { Format, OpenRequest } from '../dataset.ts';

/** One .npy array. */
export const npy: Format = {
  name: 'npy',
  accepts: 'an .npy array with samples along the first axis',
  preprocesses: false,
  detect: ({ extension }) => extension === '.npy',
  async open({ target: { path }, inputs }) {
    const [input] = inputs;
    if (inputs.length !== 1 || input === undefined) throw dataErrors.npyOneInput(path, inputs);
    const file = await openFile(path);
    const header = await readNpyHeader(file).finally(() => file.close());
    const name = basename(path);
    return arrayDataset({
      source: path,
      format: 'npy',
      columns: [{ name, header, input }],
      labels: undefined,
      idBase: name,
      async open() {
        const opened = await openFile(path);
        const row = rowReader(header, opened);
        return { row: (_, position) => row(position), close: () => opened.close() };
      },
    });
  },
};

/** An .npz archive. */
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

interface NpyHeader {
  readonly type: DataTypeName;
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Bytes of one element. */
  readonly width: number;
  /** Of texts, padded with zeros: UTF-32 code points, or else bytes of UTF-8. */
  readonly wide?: boolean;
  /** Of the first element, from the start of the file. */
  readonly dataOffset: number;
}

const magic = '\x93NUMPY';
const types: Readonly<Record<string, DataTypeName>> = {
  '<f2': 'float16',
  '<f4': 'float32',
  '<f8': 'float64',
  '|i1': 'int8',
  '|u1': 'uint8',
  '<i2': 'int16',
  '<u2': 'uint16',
  '<i4': 'int32',
  '<u4': 'uint32',
  '<i8': 'int64',
  '<u8': 'uint64',
  '|b1': 'bool',
};

/** The header, with the file checked to be as long as it says. */
async function readNpyHeader(file: RandomAccess): Promise<NpyHeader> {
  if (file.size < 12) throw dataErrors.badNpy(file.name, 'it is too short');
  const start = await file.read(0, 12);
  const version = start[6]!;
  if (start.toString('latin1', 0, 6) !== magic) throw dataErrors.badNpy(file.name, 'it does not begin as one');
  if (version < 1 || version > 3) throw dataErrors.badNpy(file.name, `its version ${version} is not known`);
  const textOffset = version === 1 ? 10 : 12;
  const textLength = version === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  const text = (await file.read(textOffset, textLength)).toString('utf8');
  const descr = /['"]descr['"]\s*:\s*(['"][^'"]*['"]|\[)/.exec(text)?.[1];
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  const dims = /['"]shape['"]\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || dims === undefined)
    throw dataErrors.badNpy(file.name, 'its header is damaged');
  const letters = /^['"](?:<U|\|S)(\d+)['"]$/.exec(descr);
  const type = letters ? 'string' : own(types, descr.slice(1, -1));
  if (type === undefined) throw dataErrors.npyType(file.name, descr === '[' ? 'of a structured array' : descr);
  const shape = (dims.match(/\d+/g) ?? []).map(Number);
  const wide = letters !== null && descr.includes('U');
  const width = letters ? Number(letters[1]) * (wide ? 4 : 1) : dataType(type).bits / 8;
  const header = { type, shape, fortranOrder: order === 'True', dataOffset: textOffset + textLength, width, wide };
  const needed = header.dataOffset + elementCount(shape) * width;
  if (file.size < needed) throw dataErrors.truncated(file.name, needed, file.size);
  return header;
}

/** Reads the elements of row i (of the whole array for i = 0 when it has no axis), in row-major order. */
function rowReader(header: NpyHeader, file: RandomAccess): (row: number) => Promise<TypedArray> {
  const { shape, fortranOrder, dataOffset, width } = header;
  const rowLength = elementCount(shape.slice(1));
  if (!fortranOrder || shape.length < 2) {
    return async (row) => view(await file.read(dataOffset + row * rowLength * width, rowLength * width), header);
  }
  let whole: Promise<TypedArray> | undefined;
  return async (row) => {
    whole ??= file
      .read(dataOffset, elementCount(shape) * width)
      .then((bytes) => toRowMajor(view(bytes, header), shape));
    return (await whole).slice(row * rowLength, (row + 1) * rowLength);
  };
}

/** The elements in `bytes`, which begins its own buffer, so any element width is aligned. */
function view(bytes: Buffer, { type, width, wide = false }: NpyHeader): TypedArray {
  if (type === 'string') return textNumbers(textsIn(bytes, width, wide));
  return new (dataType(type).array)(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / width);
}

const letterAt = (code: number): string => (code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code));

function* textsIn(bytes: Buffer, width: number, wide: boolean): Generator<string> {
  // Empty texts of no width have no bytes either.
  for (let at = 0; at < bytes.length; at += width) {
    const piece = bytes.subarray(at, at + width);
    const letters = wide
      ? Array.from({ length: width / 4 }, (_, i) => letterAt(piece.readUInt32LE(i * 4))).join('')
      : piece.toString('utf8');
    yield letters.replace(/\0+$/, '');
  }
}

/** From the order in which the first index runs fastest to the order in which the last one does. */
function toRowMajor(source: TypedArray, shape: readonly number[]): TypedArray {
  const strides: number[] = [];
  shape.reduce((stride, dim) => (strides.push(stride), stride * dim), 1);
  const target = source.slice();
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < target.length; to++) {
    target[to] = source[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return target;
}
