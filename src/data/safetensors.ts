/**
 * The safetensors container (huggingface/safetensors, format 0.x): an 8-byte length, a JSON header, then the arrays without
 * gaps. Any tool can open it, and it holds no code. Calibration states are written in it and samples are read from it, so what
 * is wrong with a file is a Malformed here, which each reader turns into its own error.
 */
import { dataType, elementCount, type DataTypeName, type TypedArray } from '../onnx/data-types.ts';

/** An array and where it lies. */
export interface SafetensorsArray {
  readonly type: DataTypeName;
  readonly shape: readonly number[];
  /** Of the first element, from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** What the header says. */
export interface SafetensorsHeader {
  /** In file order. */
  readonly arrays: ReadonlyMap<string, SafetensorsArray>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes that the file must have. */
  readonly size: number;
}

/** A small file in memory. */
export interface Safetensors {
  /** In file order. */
  readonly arrays: Readonly<Record<string, TypedArray>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The message says what is wrong, without the file's name. */
export class Malformed extends Error {}

/** For arrays that are written, the first that matches: raw words of 16 bits are plain integers. */
const types: Readonly<Record<string, DataTypeName>> = {
  F32: 'float32',
  F64: 'float64',
  I8: 'int8',
  U8: 'uint8',
  I16: 'int16',
  U16: 'uint16',
  I32: 'int32',
  U32: 'uint32',
  I64: 'int64',
  U64: 'uint64',
  F16: 'float16',
  BF16: 'bfloat16',
  BOOL: 'bool',
};

const metadataKey = '__metadata__';
/** The limit of the reference implementation. */
const largestHeader = 100_000_000;
const noSafetensors = 'it is no safetensors file';

/** Where the header ends and the arrays begin, from the first 8 bytes. @throws Malformed */
export function headerEnd(start: Uint8Array): number {
  const length = Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
  if (length > largestHeader) throw new Malformed(noSafetensors);
  return 8 + length;
}

/** Reads the header. @param text the bytes from 8 to headerEnd @throws Malformed */
export function parseHeader(text: Uint8Array): SafetensorsHeader {
  const start = 8 + text.length;
  const { [metadataKey]: metadata, ...entries } = parseJson(text);
  const arrays = new Map<string, SafetensorsArray>();
  let size = start;
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    const type = Object.hasOwn(types, String(dtype)) ? types[String(dtype)] : undefined;
    const [begin, end] = isCounts(offsets) ? offsets : [];
    if (!isCounts(shape) || begin === undefined || end === undefined)
      throw new Malformed(`its array '${name}' contradicts itself`);
    if (type === undefined) throw new Malformed(`its array '${name}' has dtype ${String(dtype)}`);
    if (end - begin !== (elementCount(shape) * dataType(type).bits) / 8)
      throw new Malformed(`its array '${name}' contradicts itself`);
    arrays.set(name, { type, shape, offset: start + begin, byteLength: end - begin });
    size = Math.max(size, start + end);
  }
  return { arrays, metadata: (metadata ?? {}) as Record<string, string>, size };
}

/** Encodes a file of one-dimensional arrays; its bytes depend on the content alone. */
export function encodeSafetensors({ arrays, metadata }: Safetensors): Uint8Array {
  const header: Record<string, unknown> = { [metadataKey]: metadata };
  let end = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const dtype = Object.keys(types).find((key) => array instanceof dataType(types[key]!).array)!;
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

function parseJson(text: Uint8Array): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch {
    // Not UTF-8, not JSON: said below.
  }
  throw new Malformed(noSafetensors);
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
