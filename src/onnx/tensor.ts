/**
 * A constant: the TensorProto it came from, or bytes made here, behind one face. The stored form (raw_data, typed
 * fields, external data, a file range) does not show; nothing is read until asked for, and nothing read is kept: hold
 * on to the result of `data()` rather than asking twice. Row-major, little-endian, as onnxruntime-node's hosts all are.
 */
import { onnxErrors } from '../errors/onnx.ts';
import { toBytes } from './bytes.ts';
import {
  byteLengthOf,
  dataType,
  dataTypeOfCode,
  elementCount,
  type DataTypeInfo,
  type DataTypeName,
  type TypedArray,
} from './data-types.ts';
import { isExternal, resolveInFolder, resolveNowhere, type ExternalResolver } from './external.ts';
import { bfloat16ToFloat32, float16ToFloat32, toFloat32, unpackSubByte } from './narrow-types.ts';
import type { ByteSource, Payload, TensorProto } from './messages.ts';
import { inlinePayload } from './tensor-data.ts';
import { decodeUtf8 } from './strings.ts';

const integerTypes: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'uint32', 'uint64', 'bool'] as const),
  ...(['uint4', 'int4', 'uint2', 'int2'] as const),
]);

/** One array of Node 20 holds at most this many bytes. */
const arrayLimit = 2 ** 32;

export class Tensor {
  readonly name: string;
  readonly type: DataTypeInfo;
  readonly dims: readonly number[];
  /** Number of elements. */
  readonly size: number;
  /** Bytes in the layout of raw_data; 0 for strings. */
  readonly byteLength: number;
  readonly #proto: TensorProto;
  readonly #external: ExternalResolver;

  private constructor(proto: TensorProto, external: ExternalResolver) {
    const name = proto.name ?? '';
    const type = dataTypeOfCode(proto.dataType ?? 0);
    if (!type) throw onnxErrors.dataType(name, proto.dataType ?? 0);
    const dims = (proto.dims ?? []).map(Number);
    this.name = name;
    this.type = type;
    this.dims = dims;
    this.size = elementCount(dims);
    if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || !Number.isSafeInteger(this.size)) {
      throw onnxErrors.dims(name, proto.dims ?? []);
    }
    this.byteLength = byteLengthOf(type, this.size);
    this.#proto = proto;
    this.#external = external;
  }

  /**
   * @param external the folder of the model, or a way to find external data; needed only when the tensor is stored so
   * @throws ONNX_DATA_TYPE, ONNX_DIMS
   */
  static fromProto(proto: TensorProto, external?: string | ExternalResolver): Tensor {
    return new Tensor(proto, typeof external === 'string' ? resolveInFolder(external) : (external ?? resolveNowhere));
  }

  /** @param data elements in row-major order, in the array type of `type`; 4-bit and 2-bit types packed; not copied */
  static of(name: string, type: DataTypeName, dims: readonly number[], data: TypedArray): Tensor {
    const { array } = dataType(type);
    if (!(data instanceof array)) throw onnxErrors.arrayType(name, type, array.name, data.constructor.name);
    return Tensor.#make(name, type, dims, new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
  }

  /** A tensor whose bytes are asked of `source` when they are needed, at the latest when the model is saved. */
  static lazy(name: string, type: DataTypeName, dims: readonly number[], source: ByteSource): Tensor {
    return Tensor.#make(name, type, dims, source);
  }

  static #make(name: string, type: DataTypeName, dims: readonly number[], rawData: Payload): Tensor {
    const proto = { ...(dims.length > 0 && { dims: [...dims] }), dataType: dataType(type).code, name, rawData };
    const tensor = new Tensor(proto, resolveNowhere);
    tensor.#checkSize(rawData);
    return tensor;
  }

  /**
   * The elements in the layout of raw_data, without reading them where the stored form allows.
   * @throws ONNX_TENSOR_SIZE when the stored bytes do not fit the shape; ONNX_EXTERNAL_*; ONNX_TENSOR_TYPE for strings
   */
  payload(): Payload {
    if (this.type.name === 'string') throw onnxErrors.notConvertible(this.name, 'string', 'numbers');
    return this.#checkSize(
      isExternal(this.#proto)
        ? this.#external(this.#proto, this.byteLength)
        : inlinePayload(this.#proto, this.type, this.size),
    );
  }

  /** The elements in the array type of the data type: bit patterns for float16 and the like. Not to be written to. */
  data(): TypedArray {
    const { array } = this.type;
    if (this.byteLength > arrayLimit) throw onnxErrors.tensorTooLarge(this.name, this.byteLength);
    const bytes = toBytes(this.payload());
    const width = array.BYTES_PER_ELEMENT;
    const aligned = bytes.byteOffset % width === 0 ? bytes : Uint8Array.from(bytes);
    return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / width);
  }

  /**
   * The elements as float32: float and integer types. @throws ONNX_TENSOR_TYPE for strings, complex and 8-bit or
   * 4-bit floats
   */
  floats(): Float32Array {
    const { name } = this.type;
    if (name === 'float16') return toFloat32(this.data() as Uint16Array, float16ToFloat32);
    if (name === 'bfloat16') return toFloat32(this.data() as Uint16Array, bfloat16ToFloat32);
    if (name === 'float32') return this.data() as Float32Array;
    if (name === 'float64') return Float32Array.from(this.data() as Float64Array);
    if (!integerTypes.has(name)) throw onnxErrors.notConvertible(this.name, name, 'float32');
    const integers = this.#integers();
    return integers instanceof BigInt64Array || integers instanceof BigUint64Array
      ? Float32Array.from(integers, Number)
      : Float32Array.from(integers);
  }

  /** The elements of an integer or bool tensor. @throws ONNX_TENSOR_TYPE, ONNX_UNSAFE_INTEGER beyond 2^53 */
  ints(): number[] {
    if (!integerTypes.has(this.type.name)) throw onnxErrors.notConvertible(this.name, this.type.name, 'integers');
    return Array.from(this.#integers() as Iterable<number | bigint>, (value) => {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw onnxErrors.unsafeInteger(this.name, BigInt(value));
      return number;
    });
  }

  /** The elements of a string tensor. @throws ONNX_TENSOR_TYPE, ONNX_TENSOR_SIZE */
  strings(): string[] {
    if (this.type.name !== 'string') throw onnxErrors.notConvertible(this.name, this.type.name, 'strings');
    const strings = this.#proto.stringData ?? [];
    if (strings.length !== this.size) throw onnxErrors.stringCount(this.name, this.dims, this.size, strings.length);
    return strings.map((bytes) => decodeUtf8(bytes));
  }

  /** The message to save: the very one this tensor was read from, unless it was renamed or reshaped. */
  toProto(): TensorProto {
    return this.#proto;
  }

  renamed(name: string): Tensor {
    return name === this.name ? this : new Tensor({ ...this.#proto, name }, this.#external);
  }

  /** The same elements under other dimensions. @throws ONNX_RESHAPE when their number differs */
  reshaped(dims: readonly number[]): Tensor {
    const tensor = new Tensor({ ...this.#proto, dims: [...dims] }, this.#external);
    if (tensor.size !== this.size) throw onnxErrors.reshape(this.name, this.dims, dims);
    return tensor;
  }

  #integers(): TypedArray {
    const { name, bits } = this.type;
    return bits < 8 ? unpackSubByte(this.data() as Uint8Array, bits, name.startsWith('int'), this.size) : this.data();
  }

  #checkSize<P extends Payload>(payload: P): P {
    if (payload.byteLength !== this.byteLength) {
      throw onnxErrors.payloadSize(this.name, this.type.name, this.dims, this.byteLength, payload.byteLength);
    }
    return payload;
  }
}
