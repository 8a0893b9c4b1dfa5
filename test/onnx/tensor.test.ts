import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { decodeModel, encodeModel } from '../../src/onnx/codec.ts';
import { dataType, type DataTypeName, type TypedArray } from '../../src/onnx/data-types.ts';
import type { ByteSource, TensorProto } from '../../src/onnx/messages.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { withoutData } from '../../src/onnx/tensor-data.ts';
import { message, modelWithTensor, qdqError } from './wire.ts';

/** Three elements (six halves for complex, one padded byte for sub-byte types), extremes among them. */
const samples: readonly (readonly [DataTypeName, TypedArray])[] = [
  ['float32', Float32Array.of(1.5, -0, NaN)],
  ['uint8', Uint8Array.of(0, 128, 255)],
  ['int8', Int8Array.of(-128, -1, 127)],
  ['uint16', Uint16Array.of(0, 300, 65535)],
  ['int16', Int16Array.of(-32768, -1, 32767)],
  ['int32', Int32Array.of(-(2 ** 31), -1, 2 ** 31 - 1)],
  ['int64', BigInt64Array.of(-(2n ** 63n), -1n, 2n ** 63n - 1n)],
  ['bool', Uint8Array.of(1, 0, 1)],
  ['float16', Uint16Array.of(0x3c00, 0xfbff, 0x0001)],
  ['float64', Float64Array.of(Math.PI, -0, Infinity)],
  ['uint32', Uint32Array.of(0, 1, 2 ** 32 - 1)],
  ['uint64', BigUint64Array.of(0n, 1n, 2n ** 64n - 1n)],
  ['complex64', Float32Array.of(1, 2, 3, 4, 5, 6)],
  ['complex128', Float64Array.of(1, 2, 3, 4, 5, 6)],
  ['bfloat16', Uint16Array.of(0x3f80, 0xc000, 0x7f80)],
  ['float8e4m3fn', Uint8Array.of(0, 0x38, 0xff)],
  ['float8e4m3fnuz', Uint8Array.of(0, 0x38, 0xff)],
  ['float8e5m2', Uint8Array.of(0, 0x38, 0xff)],
  ['float8e5m2fnuz', Uint8Array.of(0, 0x38, 0xff)],
  ['uint4', Uint8Array.of(0xf0, 0x07)],
  ['int4', Uint8Array.of(0xf8, 0x07)],
  ['float4e2m1', Uint8Array.of(0xf8, 0x07)],
  ['float8e8m0', Uint8Array.of(0, 0x38, 0xff)],
  ['uint2', Uint8Array.of(0b110100)],
  ['int2', Uint8Array.of(0b110100)],
];

const bytesOf = (data: TypedArray) => new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
const inModel = (tensor: Uint8Array): TensorProto => decodeModel(modelWithTensor(tensor)).graph!.initializer![0]!;

/** As onnx-proto encodes it, each typed field packed. */
function typedForm(name: DataTypeName, data: TypedArray): TensorProto {
  const { code, field } = dataType(name);
  const values = Array.from(data as Iterable<number | bigint>, (v) => (typeof v === 'bigint' ? v.toString() : v));
  const object = { dims: [3], dataType: code, name: 't', [field]: values };
  return inModel(onnx.TensorProto.encode(onnx.TensorProto.fromObject(object)).finish());
}

/** The same with an element per field, as writers that know no packing do it. */
function unpackedForm(name: DataTypeName, data: TypedArray): TensorProto {
  const { code, field } = dataType(name);
  const id = { floatData: 4, int32Data: 5, int64Data: 7, doubleData: 10, uint64Data: 11, stringData: 6 }[field];
  const elements = Array.from(data as Iterable<number | bigint>, (value) => {
    if (field === 'floatData') return { id, float: value as number };
    if (field !== 'doubleData') return { id, raw: varintField(id, BigInt(value)) };
    return { id, raw: Uint8Array.of((id << 3) | 1, ...bytesOf(Float64Array.of(value as number))) };
  });
  return inModel(message({ id: 1, varint: 3 }, { id: 2, varint: code }, ...elements, { id: 8, bytes: 't' }));
}

function varintField(id: number, value: bigint): Uint8Array {
  const bytes = [id << 3];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.of(...bytes, Number(rest));
}

describe('Tensor.data', () => {
  it.each(samples)('reads %s from raw_data and from its typed field, packed and unpacked', (name, data) => {
    const raw = inModel(
      message(
        { id: 1, varint: 3 },
        { id: 2, varint: dataType(name).code },
        { id: 8, bytes: 't' },
        { id: 9, bytes: bytesOf(data) },
      ),
    );
    for (const proto of [raw, typedForm(name, data), unpackedForm(name, data)]) {
      const tensor = Tensor.fromProto(proto);
      expect(tensor).toMatchObject({ name: 't', dims: [3], size: 3, byteLength: data.byteLength });
      expect(tensor.type.name).toBe(name);
      expect(tensor.data()).toEqual(data);
      expect(tensor.payload().byteLength).toBe(data.byteLength);
    }
  });

  it.each(samples)('holds %s made here', (name, data) => {
    const tensor = Tensor.of('t', name, [3], data);
    expect(tensor.data()).toEqual(data);
    expect(encodeModel({ graph: { initializer: [tensor.toProto()] } })).toEqual(
      encodeModel({
        graph: { initializer: [{ dims: [3], dataType: dataType(name).code, name: 't', rawData: bytesOf(data) }] },
      }),
    );
  });

  it('copies what is not aligned, and shares what is', () => {
    const bytes = new Uint8Array(13);
    bytes.set(bytesOf(Float32Array.of(1, 2, 3)), 1);
    expect(Tensor.fromProto({ dims: [3], dataType: 1, rawData: bytes.subarray(1) }).data()).toEqual(
      Float32Array.of(1, 2, 3),
    );
    const own = Float32Array.of(1, 2, 3);
    expect(Tensor.of('t', 'float32', [3], own).data().buffer).toBe(own.buffer);
  });

  it('joins packed chunks, and numbers that a chunk border cuts', () => {
    const floats = bytesOf(Float32Array.of(1, 2));
    const split = { dims: [2], dataType: 1, floatData: [floats.subarray(0, 4), floats.subarray(4)] };
    expect(Tensor.fromProto(split).data()).toEqual(Float32Array.of(1, 2));
    const source: ByteSource = {
      byteLength: 4,
      read: (o, n) => Uint8Array.of(0xac, 0x02, 0x05, 0x06).subarray(o, o + n),
    };
    expect(Tensor.fromProto({ dims: [4], dataType: 7, int64Data: [source, Uint8Array.of(7)] }).data()).toEqual(
      BigInt64Array.of(300n, 5n, 6n, 7n),
    );
  });

  it('reads scalars and empty tensors', () => {
    expect(Tensor.fromProto({ dataType: 1, rawData: bytesOf(Float32Array.of(2)) }).data()).toEqual(Float32Array.of(2));
    expect(Tensor.fromProto({ dims: [0, 5], dataType: 7 }).data()).toEqual(new BigInt64Array());
    expect(Tensor.of('s', 'float32', [], Float32Array.of(2)).toProto().dims).toBeUndefined();
  });

  it('asks a lazy source only when it is needed', () => {
    let reads = 0;
    const tensor = Tensor.lazy('t', 'uint8', [3], {
      byteLength: 3,
      read: (o, n) => (reads++, Uint8Array.of(1, 2, 3).subarray(o, o + n)),
    });
    const renamed = tensor.renamed('u').reshaped([1, 3]);
    expect(reads).toBe(0);
    expect(renamed.data()).toEqual(Uint8Array.of(1, 2, 3));
    expect(reads).toBe(1);
  });
});

describe('conversions', () => {
  it('floats', () => {
    const floats = (name: DataTypeName, data: TypedArray) => [...Tensor.of('t', name, [3], data).floats()];
    expect(floats('float16', Uint16Array.of(0x3c00, 0xfbff, 0x0001))).toEqual([1, -65504, 2 ** -24]);
    expect(floats('bfloat16', Uint16Array.of(0x3f80, 0xc000, 0x7f80))).toEqual([1, -2, Infinity]);
    expect(floats('float64', Float64Array.of(0.1, -0, Infinity))).toEqual([Math.fround(0.1), -0, Infinity]);
    expect(floats('int64', BigInt64Array.of(-5n, 0n, 2n ** 60n))).toEqual([-5, 0, 2 ** 60]);
    expect(floats('int8', Int8Array.of(-128, 0, 127))).toEqual([-128, 0, 127]);
    expect(floats('int4', Uint8Array.of(0xf8, 0x07))).toEqual([-8, -1, 7]);
    expect(qdqError(() => floats('float8e5m2', Uint8Array.of(1, 2, 3))).code).toBe('ONNX_TENSOR_TYPE');
  });

  it('ints', () => {
    expect(Tensor.of('t', 'uint4', [3], Uint8Array.of(0xf8, 0x07)).ints()).toEqual([8, 15, 7]);
    expect(Tensor.of('t', 'int2', [3], Uint8Array.of(0b110100)).ints()).toEqual([0, 1, -1]);
    expect(Tensor.of('t', 'int64', [2], BigInt64Array.of(-1n, 2n ** 53n - 1n)).ints()).toEqual([-1, 2 ** 53 - 1]);
    expect(qdqError(() => Tensor.of('t', 'int64', [1], BigInt64Array.of(2n ** 53n)).ints()).code).toBe(
      'ONNX_UNSAFE_INTEGER',
    );
    expect(qdqError(() => Tensor.of('t', 'float32', [1], Float32Array.of(1)).ints()).code).toBe('ONNX_TENSOR_TYPE');
  });

  it('strings', () => {
    const proto = inModel(
      message({ id: 1, varint: 2 }, { id: 2, varint: 8 }, { id: 6, bytes: 'a' }, { id: 6, bytes: '' }),
    );
    expect(Tensor.fromProto(proto).strings()).toEqual(['a', '']);
    expect(qdqError(() => Tensor.fromProto({ ...proto, dims: [3] }).strings()).code).toBe('ONNX_TENSOR_SIZE');
    expect(qdqError(() => Tensor.fromProto(proto).data()).code).toBe('ONNX_TENSOR_TYPE');
  });
});

describe('Tensor.toProto', () => {
  it('is the message it was read from until it is changed, and keeps what is unknown', () => {
    const proto = inModel(
      message(
        { id: 1, varint: 3 },
        { id: 2, varint: 2 },
        { id: 9, bytes: Uint8Array.of(1, 2, 3) },
        { id: 99, varint: 1 },
      ),
    );
    const tensor = Tensor.fromProto(proto);
    expect(tensor.toProto()).toBe(proto);
    expect(tensor.renamed('u').toProto()).toEqual({ ...proto, name: 'u' });
    expect(tensor.renamed('u').toProto().$unknowns).toBe(proto.$unknowns);
    expect(tensor.reshaped([1, 3, 1]).toProto()).toEqual({ ...proto, dims: [1, 3, 1] });
    expect(qdqError(() => tensor.reshaped([2])).code).toBe('ONNX_RESHAPE');
  });

  it('gives up its elements, unpacked ones too, for new ones', () => {
    const proto = unpackedForm('int32', Int32Array.of(1, 2, 3));
    expect(proto.$unknowns).toHaveLength(3);
    expect(withoutData({ ...proto, rawData: Uint8Array.of(1) })).toEqual({
      dims: [3],
      dataType: 6,
      name: 't',
      $unknowns: [],
    });
  });
});

describe('tensors that contradict themselves', () => {
  const code = (proto: TensorProto) => qdqError(() => Tensor.fromProto({ name: 'w', ...proto }).data());

  it.each<[string, TensorProto]>([
    ['ONNX_DATA_TYPE', { dims: [1], dataType: 0 }],
    ['ONNX_DATA_TYPE', { dims: [1], dataType: 99 }],
    ['ONNX_DIMS', { dims: [-1], dataType: 1 }],
    ['ONNX_DIMS', { dims: [2n ** 62n], dataType: 1 }],
    ['ONNX_DIMS', { dims: [2 ** 30, 2 ** 30], dataType: 1 }],
    ['ONNX_TENSOR_SIZE', { dims: [2], dataType: 1, rawData: new Uint8Array(4) }],
    ['ONNX_TENSOR_SIZE', { dims: [2], dataType: 1 }],
    ['ONNX_TENSOR_SIZE', { dims: [2], dataType: 7, int64Data: [Uint8Array.of(1, 2, 3)] }],
    ['ONNX_TENSOR_SIZE', { dims: [2], dataType: 3, int32Data: [Uint8Array.of(1)] }],
    [
      'ONNX_MIXED_ELEMENTS',
      { dims: [2], dataType: 6, int32Data: [Uint8Array.of(1)], $unknowns: [Uint8Array.of(0x28, 2)] },
    ],
    ['ONNX_TENSOR_TOO_LARGE', { dims: [2 ** 33], dataType: 1 }],
    [
      'ONNX_EXTERNAL_NO_FOLDER',
      { dims: [2], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'x' }] },
    ],
  ])('%s', (expected, proto) => {
    expect(code(proto).code).toBe(expected);
    expect(code(proto).message).toContain("tensor 'w'");
  });

  it('say how many bytes are expected and found', () => {
    expect(code({ dims: [2, 3], dataType: 1, rawData: new Uint8Array(4) }).message).toBe(
      "tensor 'w' (float32[2, 3]) needs 24 bytes of data but has 4",
    );
  });

  it('cannot be made either', () => {
    expect(qdqError(() => Tensor.of('w', 'int8', [1], Uint8Array.of(1))).code).toBe('ONNX_ARRAY_TYPE');
    expect(qdqError(() => Tensor.of('w', 'int8', [2], Int8Array.of(1))).code).toBe('ONNX_TENSOR_SIZE');
  });
});
