/** What a reader module yields → a Sample: names, types and dimensions made explicit, data copied. */
import { elementCount, type DataTypeName, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import { textNumbers } from '../onnx/texts.ts';
import { checkNames, flatDims } from './check.ts';
import { convert, convertible } from './convert.ts';
import type { InputInfo, Sample } from './sample.ts';

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

/** @throws QdqError that names `id` (module and sample number) and the input. */
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
    tensors[input.name] = tensorOf(value, input, id);
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

function tensorOf(value: unknown, input: InputInfo, id: string): TensorValue {
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
