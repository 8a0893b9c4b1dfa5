/** A .safetensors file: arrays named after the inputs, and `labels` (or `y`) if any; rows are read where they lie. */
import { basename } from 'node:path';
import { dataErrors } from '../../errors/data.ts';
import { dataType, elementCount, type TypedArray } from '../../onnx/data-types.ts';
import { arrayDataset, checkLabels, pairArrays } from '../arrays.ts';
import { openFile, type RandomAccess } from '../random-access.ts';
import { headerEnd, Malformed, parseHeader, type SafetensorsArray, type SafetensorsHeader } from '../safetensors.ts';
import type { Dataset } from '../sample.ts';
import type { Format, OpenRequest } from '../dataset.ts';

/** A file of named arrays. */
export const safetensors: Format = {
  name: 'safetensors',
  accepts: 'a .safetensors with arrays named after the inputs, and labels if any',
  preprocesses: false,
  detect: ({ extension }) => extension === '.safetensors',
  open: openSafetensors,
};

async function openSafetensors({ target: { path }, inputs }: OpenRequest): Promise<Dataset> {
  const file = await openFile(path);
  try {
    const { arrays } = await readHeader(file);
    const { pairs, labels } = pairArrays([...arrays.keys()], inputs, path);
    return arrayDataset({
      source: path,
      format: 'safetensors',
      columns: pairs.map(([name, input]) => ({ name, input, header: arrays.get(name)! })),
      labels: labels === undefined ? undefined : await readLabels(file, arrays.get(labels)!),
      idBase: basename(path),
      async open() {
        const opened = await openFile(path);
        return {
          row(name, position) {
            const array = arrays.get(name)!;
            return readRows(opened, array, position, 1);
          },
          close: () => opened.close(),
        };
      },
    });
  } finally {
    await file.close();
  }
}

async function readHeader(file: RandomAccess): Promise<SafetensorsHeader> {
  try {
    const end = headerEnd(await file.read(0, 8));
    const header = parseHeader(await file.read(8, end - 8));
    if (file.size < header.size) throw dataErrors.truncated(file.name, header.size, file.size);
    return header;
  } catch (error) {
    throw error instanceof Malformed ? dataErrors.badSafetensors(file.name, error) : error;
  }
}

async function readRows(
  file: RandomAccess,
  { type, shape, offset }: SafetensorsArray,
  first: number,
  count: number,
): Promise<TypedArray> {
  const { array, bits } = dataType(type);
  const rowBytes = (elementCount(shape.slice(1)) * bits) / 8;
  const bytes = await file.read(offset + first * rowBytes, count * rowBytes);
  return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, (count * rowBytes * 8) / bits);
}

async function readLabels(file: RandomAccess, array: SafetensorsArray): Promise<number[]> {
  checkLabels(array, file.name);
  return Array.from((await readRows(file, array, 0, array.shape[0]!)) as Iterable<number | bigint>, Number);
}
