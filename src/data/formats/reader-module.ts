/**
 * Samples from a module of the user: a generator function, an iterable or {length, get(i)} that yields
 * `{input: typed array or {data, dims, type?}, label?}`. What it yields is checked and copied, because a module may
 * well reuse one array for every sample; what it throws is reported with its path and the sample number. Names, types and dimensions that
 * the module leaves out follow from the model's inputs.
 */
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { elementCount, type DataTypeName, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
import { dataErrors } from '../../errors/data.ts';
import { textNumbers } from '../../onnx/strings.ts';
import { checkNames, flatDims } from '../model-inputs.ts';
import { convert, convertible } from '../convert.ts';
import type { InputInfo, Sample } from '../sample.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import { firstIsLabelled, indexedDataset, streamDataset, type Format } from '../dataset.ts';

/** What a function is called with, once per pass over the data. */
interface ReaderContext {
  readonly inputs: readonly InputInfo[];
}

type Items = AsyncIterable<unknown> | Iterable<unknown>;
interface Indexed {
  readonly length: number;
  get(position: number): unknown;
}

/** A module that yields samples. */
export const readerModule: Format = {
  name: 'reader',
  accepts: 'a reader module (.mjs, .js or .cjs)',
  preprocesses: false,
  detect: ({ kind, extension }) => kind === 'file' && ['.mjs', '.js', '.cjs'].includes(extension),
  async open({ target: { path }, inputs }) {
    const reader = await importReader(path);
    const sample = (item: unknown, position: number): Sample => sampleOf(item, `${basename(path)}#${position}`, inputs);
    const guard = async <T>(position: number, work: () => T | Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (cause) {
        throw cause instanceof QdqError ? cause : dataErrors.readerFailed(path, position, cause);
      }
    };
    const begin = async (): Promise<Items | Indexed> => {
      const context: ReaderContext = { inputs };
      const items = typeof reader === 'function' ? await guard(0, () => reader(context) as unknown) : reader;
      return asItems(items, path, typeof reader === 'function');
    };

    const items = await begin();
    if (isIndexed(items)) {
      const read = async (position: number): Promise<Sample> =>
        sample(await guard(position, () => items.get(position)), position);
      const count = items.length;
      if (count === 0) throw dataErrors.empty(path);
      const id = (position: number): string => `${basename(path)}#${position}`;
      const labelled = await firstIsLabelled(count, read);
      return indexedDataset({
        source: path,
        format: 'reader',
        inputs,
        count,
        labelled,
        id,
        open: () => Promise.resolve({ read }),
      });
    }
    const stream = (from: () => Promise<Items | Indexed>): AsyncGenerator<() => Sample> => readAll(from, sample, guard);
    const labelled = await streamIsLabelled(
      stream(() => Promise.resolve(items)),
      path,
    );
    return streamDataset({ source: path, format: 'reader', inputs, labelled, stream: () => stream(begin) });
  },
};

async function importReader(path: string): Promise<unknown> {
  const module = await import(pathToFileURL(resolve(path)).href).then(
    (namespace: Record<string, unknown>) => namespace,
    (cause: unknown) => {
      throw dataErrors.readerImport(path, cause);
    },
  );
  const reader = module['reader'] ?? module['default'];
  if (reader === undefined) throw dataErrors.readerExport(path, "neither 'default' nor 'reader'");
  return reader;
}

/** A generator that is exported already running could be read once only, and calibration reads more than once. */
function asItems(value: unknown, path: string, fresh: boolean): Items | Indexed {
  if (Array.isArray(value)) return { length: value.length, get: (position) => value[position] as unknown };
  if (isIndexed(value)) return value;
  if (isItems(value)) {
    if (!fresh && 'next' in value)
      throw dataErrors.readerExport(path, 'a running generator, which can be read only once');
    return value;
  }
  throw dataErrors.readerExport(
    path,
    `${fresh ? 'a function that returns ' : ''}${value === null ? 'null' : typeof value}`,
  );
}

function isItems(value: unknown): value is Items {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function isIndexed(value: unknown): value is Indexed {
  const { length, get } = (value ?? {}) as Partial<Indexed>;
  return typeof get === 'function' && Number.isSafeInteger(length) && length! >= 0;
}

type Guard = <T>(position: number, work: () => T | Promise<T>) => Promise<T>;

async function* readAll(
  begin: () => Promise<Items | Indexed>,
  sample: (item: unknown, position: number) => Sample,
  guard: Guard,
): AsyncGenerator<() => Sample> {
  const items = (await begin()) as Items;
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let finished = false;
  try {
    for (let position = 0; ; position++) {
      const step = await guard(position, () => iterator.next());
      finished = step.done === true;
      if (finished) return;
      yield () => sample(step.value, position);
    }
  } finally {
    if (!finished) await iterator.return?.();
  }
}

async function streamIsLabelled(stream: AsyncGenerator<() => Sample>, path: string): Promise<boolean> {
  let empty = true;
  for await (const sample of stream) {
    empty = false;
    try {
      return sample().label !== undefined;
    } catch {
      // A bad sample brings its error when its turn comes.
    }
  }
  if (empty) throw dataErrors.empty(path);
  return false;
}

const typeOfArray: Readonly<Record<string, DataTypeName>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Float16Array: 'float16',
  Int8Array: 'int8',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Int16Array: 'int16',
  Uint16Array: 'uint16',
  Int32Array: 'int32',
  Uint32Array: 'uint32',
  BigInt64Array: 'int64',
  BigUint64Array: 'uint64',
};

/** The raw words that TensorValue keeps these types in. */
const containers: Partial<Record<DataTypeName, DataTypeName>> = {
  float16: 'uint16',
  bfloat16: 'uint16',
  bool: 'uint8',
};

/** Makes a sample of one thing that a reader yields. @throws QdqError that names `id` (module and sample number) and the input. */
export function sampleOf(item: unknown, id: string, inputs: readonly InputInfo[]): Sample {
  if (typeof item !== 'object' || item === null)
    throw dataErrors.readerSample(id, item === null ? 'null' : typeof item);
  const names = inputs.map(({ name }) => name);
  const only = inputs.length === 1 ? inputs[0] : undefined;
  const fields = item as Record<string, unknown>;
  const label = names.includes('label') ? undefined : labelOf(fields['label'], id);
  const sequence = names.includes('sequence') ? undefined : fields['sequence'];
  const bare = only && (isElements(item) || (Array.isArray(fields['dims']) && !names.includes('dims')));
  const values = bare ? { [only.name]: item } : { ...fields };
  if (!bare && !names.includes('label')) delete values['label'];
  if (!bare && !names.includes('sequence')) delete values['sequence'];
  checkNames(Object.keys(values), inputs, id);
  const tensors: Record<string, TensorValue> = {};
  for (const input of inputs) {
    const value = values[input.name];
    if (value === undefined) throw dataErrors.inputMissing(id, input.name, Object.keys(values));
    tensors[input.name] = tensorOfValue(value, input, id);
  }
  const told = sequence === undefined || sequence === null ? {} : { sequence: String(sequence) };
  return { id, inputs: tensors, ...(label !== undefined && { label }), ...told };
}

function labelOf(value: unknown, id: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const label = typeof value === 'bigint' ? Number(value) : value;
  if (typeof label !== 'number' || !Number.isSafeInteger(label)) throw dataErrors.badLabel(id, value);
  return label;
}

function tensorOfValue(value: unknown, input: InputInfo, id: string): TensorValue {
  const { data, dims, type } = (isElements(value) ? { data: value } : (value ?? {})) as Partial<TensorValue>;
  const where = `${id}: the value of input '${input.name}'`;
  const plain = plainArray(data);
  if (!plain) throw dataErrors.readerSample(where, 'not a typed array or a list of texts, nor {data, dims} with one');
  if (dims !== undefined && !Array.isArray(dims))
    throw dataErrors.readerSample(where, 'given dims that are not an array');
  const held = plain.type;
  // Raw words stand for the type they contain, when the input (or the value itself) says so.
  const from = type ?? (containers[input.type] === held ? input.type : held);
  if (!convertible(from, input.type)) throw dataErrors.wrongType(id, input, from);
  if (held !== from && containers[from] !== held)
    throw dataErrors.readerSample(where, `said to be ${from} but holds ${held}`);
  const shape = dims === undefined ? flatDims(input, plain.data.length) : Array.from(dims, Number);
  if (!shape) throw dataErrors.readerDims(id, input, plain.data.length);
  if (elementCount(shape) !== plain.data.length) throw dataErrors.wrongLength(id, input, shape, plain.data.length);
  try {
    return { type: input.type, dims: shape, data: convert(plain.data, from, input.type) };
  } catch (cause) {
    throw dataErrors.outOfRange(id, input, cause);
  }
}

function isTexts(data: unknown): data is readonly string[] {
  return Array.isArray(data) && data.length > 0 && data.every((each) => typeof each === 'string');
}

function isElements(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) || isTexts(value);
}

/** A copy in one of the kinds that TensorValue has: a Buffer becomes a Uint8Array, a Float16Array its words. */
function plainArray(data: unknown): { data: TypedArray; type: DataTypeName } | undefined {
  if (isTexts(data)) return { data: textNumbers(data), type: 'string' };
  if (!ArrayBuffer.isView(data) || data instanceof DataView) return undefined;
  const kind = data instanceof Uint8Array ? 'Uint8Array' : data.constructor.name;
  const type = typeOfArray[kind];
  if (type === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = data;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  if (kind === 'Float16Array') return { data: new Uint16Array(bytes), type: 'float16' };
  if (type === 'uint8') return { data: new Uint8Array(bytes), type };
  return { data: new (data.constructor as new (buffer: ArrayBuffer) => TypedArray)(bytes), type };
}
