/**
 * Sets of serialized tensors as ONNX's own test data has them: `test_data_set_N/input_K.pb`, one sample per set, or one
 * such set directly. Files feed the inputs in the order of their numbers, unless the tensors bear the inputs' names.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { dataErrors } from '../../errors/data.ts';
import { MemoryBytes } from '../../onnx/bytes.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { SourceReader } from '../../onnx/reader.ts';
import { codec } from '../../onnx/schema.ts';
import { textNumbers } from '../../onnx/strings.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { indexedDataset, type Format } from '../dataset.ts';
import type { Names } from '../file-tree.ts';
import type { InputInfo } from '../sample.ts';

const setName = /^test_data_set_(\d+)$/;
const inputName = /^input_(\d+)\.pb$/;

/** A folder of TensorProto files. */
export const tensorProto: Format = {
  name: 'tensor-proto',
  accepts: 'a folder of TensorProto sets (test_data_set_*/input_*.pb)',
  preprocesses: false,
  detect: ({ names }) => names.some((name) => setName.test(name) || inputName.test(name)),
  async open({ target: { path, names }, inputs }) {
    const direct = names.some((name) => inputName.test(name));
    const sets = direct
      ? [{ id: basename(resolve(path)), folder: path }]
      : numbered(names, setName).map((id) => ({ id, folder: join(path, id) }));
    return indexedDataset({
      source: path,
      format: 'tensor-proto',
      inputs,
      count: sets.length,
      labelled: false,
      id: (position) => sets[position]!.id,
      ahead: 1,
      open: () =>
        Promise.resolve({
          async read(position) {
            const { id, folder } = sets[position]!;
            return { id, inputs: await readSet(folder, inputs) };
          },
        }),
    });
  },
};

async function readSet(folder: string, inputs: readonly InputInfo[]): Promise<Record<string, TensorValue>> {
  const files = numbered(await readdir(folder), inputName);
  if (files.length !== inputs.length) throw dataErrors.protoFiles(folder, files, inputs);
  const tensors: Tensor[] = [];
  for (const file of files) tensors.push(await readTensor(join(folder, file)));
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const named = inputs.every(({ name }) => byName.has(name));
  const values = inputs.map(
    ({ name }, i) => [name, valueOf(named ? byName.get(name)! : tensors[i]!, join(folder, files[i]!))] as const,
  );
  return Object.fromEntries(values);
}

async function readTensor(path: string): Promise<Tensor> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw dataErrors.unreadable(path, cause);
  });
  return attempt(path, () =>
    Tensor.fromProto(codec('TensorProto').decode(new SourceReader(new MemoryBytes(bytes), path))),
  );
}

function valueOf(tensor: Tensor, path: string): TensorValue {
  const data = attempt(path, () => (tensor.type.name === 'string' ? textNumbers(tensor.strings()) : tensor.data()));
  return { type: tensor.type.name, dims: tensor.dims, data };
}

/** The decoder's errors name models; here the file is a tensor. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw dataErrors.protoBroken(path, cause);
  }
}

/** The names that match, in the order of their numbers: set 10 comes after set 9. */
function numbered(names: Pick<Names, 'filter'>, pattern: RegExp): string[] {
  const number = (name: string): number => Number(pattern.exec(name)![1]);
  return names.filter((name) => pattern.test(name)).sort((a, b) => number(a) - number(b));
}
