/** TensorProto.DataType: names, codes, element widths and the typed array that holds each (ONNX IR 14). */

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

interface ArrayType {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
}

export interface DataTypeInfo {
  readonly name: DataTypeName;
  readonly code: number;
  /** Bits of one element in raw_data; 4-bit and 2-bit elements are packed, low bits first. 0 for strings. */
  readonly bits: number;
  /** The array that views raw_data; float16, bfloat16 and packed types are viewed as their raw containers. */
  readonly array: ArrayType;
  /** Which typed field of TensorProto carries the elements when raw_data is absent. */
  readonly field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data' | 'stringData';
}

const rows = [
  ['float32', 1, 32, Float32Array, 'floatData'],
  ['uint8', 2, 8, Uint8Array, 'int32Data'],
  ['int8', 3, 8, Int8Array, 'int32Data'],
  ['uint16', 4, 16, Uint16Array, 'int32Data'],
  ['int16', 5, 16, Int16Array, 'int32Data'],
  ['int32', 6, 32, Int32Array, 'int32Data'],
  ['int64', 7, 64, BigInt64Array, 'int64Data'],
  ['string', 8, 0, Uint8Array, 'stringData'],
  ['bool', 9, 8, Uint8Array, 'int32Data'],
  ['float16', 10, 16, Uint16Array, 'int32Data'],
  ['float64', 11, 64, Float64Array, 'doubleData'],
  ['uint32', 12, 32, Uint32Array, 'uint64Data'],
  ['uint64', 13, 64, BigUint64Array, 'uint64Data'],
  ['complex64', 14, 64, Float32Array, 'floatData'],
  ['complex128', 15, 128, Float64Array, 'doubleData'],
  ['bfloat16', 16, 16, Uint16Array, 'int32Data'],
  ['float8e4m3fn', 17, 8, Uint8Array, 'int32Data'],
  ['float8e4m3fnuz', 18, 8, Uint8Array, 'int32Data'],
  ['float8e5m2', 19, 8, Uint8Array, 'int32Data'],
  ['float8e5m2fnuz', 20, 8, Uint8Array, 'int32Data'],
  ['uint4', 21, 4, Uint8Array, 'int32Data'],
  ['int4', 22, 4, Uint8Array, 'int32Data'],
  ['float4e2m1', 23, 4, Uint8Array, 'int32Data'],
  ['float8e8m0', 24, 8, Uint8Array, 'int32Data'],
  ['uint2', 25, 2, Uint8Array, 'int32Data'],
  ['int2', 26, 2, Uint8Array, 'int32Data'],
] as const;

export type DataTypeName = (typeof rows)[number][0];

const byName = new Map<DataTypeName, DataTypeInfo>();
const byCode = new Map<number, DataTypeInfo>();
for (const [name, code, bits, array, field] of rows) {
  const info: DataTypeInfo = { name, code, bits, array: array as ArrayType, field };
  byName.set(name, info);
  byCode.set(code, info);
}

export function dataType(name: DataTypeName): DataTypeInfo {
  return byName.get(name)!;
}

/** The type with this TensorProto.DataType code, or undefined for one that is newer than IR 14. */
export function dataTypeOfCode(code: number): DataTypeInfo | undefined {
  return byCode.get(code);
}

/** Bytes of raw_data for `count` elements. */
export function byteLengthOf(type: DataTypeInfo, count: number): number {
  return Math.ceil((type.bits * count) / 8);
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** A tensor in memory, as sessions and samples carry it. `data` views its elements in row-major order; of strings see strings.ts. */
export interface TensorValue {
  readonly type: DataTypeName;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}
