/**
 * The safetensors container (huggingface/safetensors, format 0.x): an 8-byte length, a JSON header, then the arrays without
 * gaps. Any tool can open it, and it holds no code. The bytes depend on the content alone.
 */
import { calibrateErrors } from '../errors/calibrate.ts';
import type { TypedArray } from '../onnx/data-types.ts';

export interface Safetensors {
  /** One-dimensional arrays, in file order. */
  readonly arrays: Readonly<Record<string, TypedArray>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const types = {
  F32: Float32Array,
  F64: Float64Array,
  I8: Int8Array,
  U8: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

type Entry = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
};

const metadataKey = '__metadata__';
/** The limit of the reference implementation. */
const largestHeader = 100_000_000;

export function encodeSafetensors({ arrays, metadata }: Safetensors): Uint8Array {
  const header: Record<string, unknown> = { [metadataKey]: metadata };
  let end = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const dtype = Object.entries(types).find(([, type]) => array instanceof type)![0];
    header[name] = { dtype, shape: [array.length], data_offsets: [end, (end += array.byteLength)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Padded with spaces, so that the arrays start at a multiple of 8 bytes.
  const start = Math.ceil((8 + text.length) / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let at = start;
  for (const { buffer, byteOffset, byteLength } of Object.values(arrays)) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/**
 * @param path how errors call the file
 * @throws CALIBRATE_STATE_TRUNCATED, CALIBRATE_STATE_FOREIGN
 */
export function decodeSafetensors(bytes: Uint8Array, path: string): Safetensors {
  if (bytes.length < 8) throw calibrateErrors.stateTruncated(path, 8, bytes.length);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerLength > largestHeader) throw calibrateErrors.stateForeign(path, 'it is no safetensors file');
  const start = 8 + headerLength;
  if (start > bytes.length) throw calibrateErrors.stateTruncated(path, start, bytes.length);
  const { [metadataKey]: metadata = {}, ...entries } = parse(bytes.subarray(8, start), path);
  const end = Math.max(
    start,
    ...Object.values(entries).map((entry) => start + Number((entry as Entry)?.data_offsets?.[1])),
  );
  if (end > bytes.length) throw calibrateErrors.stateTruncated(path, end, bytes.length);
  const arrays = Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => {
      const array = decodeArray(entry as Entry, bytes.subarray(start));
      if (!array) throw calibrateErrors.stateForeign(path, `its array '${name}' contradicts itself`);
      return [name, array];
    }),
  );
  return { arrays, metadata: metadata as Record<string, string> };
}

function parse(text: Uint8Array, path: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch {
    // Not UTF-8, not JSON: said below.
  }
  throw calibrateErrors.stateForeign(path, 'it is no safetensors file');
}

function decodeArray(entry: Entry, data: Uint8Array): TypedArray | undefined {
  const type = types[entry?.dtype as keyof typeof types];
  const [begin, end] = Array.isArray(entry?.data_offsets) ? entry.data_offsets : [];
  if (!type || !Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || !Array.isArray(entry.shape))
    return undefined;
  const count = entry.shape.reduce((product, dim) => product * dim, 1);
  if (begin! < 0 || end! - begin! !== count * type.BYTES_PER_ELEMENT) return undefined;
  // A copy: a Buffer's slice would be a view of the whole file, and unaligned.
  return new type(new Uint8Array(data.subarray(begin, end)).buffer);
}
