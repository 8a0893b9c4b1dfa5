import fc from 'fast-check';
import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { JoinedBytes, MemoryBytes, toBytes, type RangeSource } from '../../src/onnx/bytes.ts';
import { decodeModel, encodeModel, fromOnnxProto, writeModel } from '../../src/onnx/codec.ts';
import type { ByteSource, ModelProto, Payload } from '../../src/onnx/messages.ts';
import { message, modelBytes, modelWithTensor, qdqError } from './wire.ts';

const roundTrip = (bytes: Uint8Array) => [...encodeModel(decodeModel(bytes))];

/** Our messages in the form that protobufjs's toObject gives: numbers of 64 bits as strings, bytes as arrays. */
function plain(value: unknown, key = ''): unknown {
  if (value instanceof Uint8Array) return Array.from(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, key));
  if (typeof value === 'bigint' || (typeof value === 'number' && int64Keys.has(key))) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item, name)]));
}
const int64Keys = new Set(['irVersion', 'modelVersion', 'version', 'dims', 'i', 'ints', 'dimValue']);

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => value.toString());
const text = fc.string({ unit: 'binary', maxLength: 8 });
/** Not empty: onnx-proto's fromObject loses empty bytes in repeated fields. */
const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
const optional = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] });
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
const tensor = optional({
  dims: some(int64),
  dataType: fc.nat(30),
  name: text,
  rawData: bytes,
  stringData: some(bytes),
  docString: text,
});
const type = fc.oneof(
  optional({
    tensorType: optional({
      elemType: fc.nat(20),
      shape: optional({ dim: some(fc.oneof(optional({ dimValue: int64 }), optional({ dimParam: text }))) }),
    }),
  }),
  optional({ sequenceType: optional({ elemType: optional({ denotation: text }) }) }),
);
const info = optional({ name: text, type, docString: text });
const float = fc.float({ noNaN: true });
const attribute = optional({
  name: text,
  f: float,
  i: int64,
  s: bytes,
  t: tensor,
  floats: some(float),
  ints: some(int64),
  strings: some(bytes),
  type: fc.nat(14),
});
const node = optional({
  input: some(text),
  output: some(text),
  name: text,
  opType: text,
  domain: text,
  attribute: some(attribute),
});
const graph = optional({
  node: some(node),
  name: text,
  initializer: some(tensor),
  input: some(info),
  output: some(info),
});
const model = fc.record(
  {
    irVersion: int64,
    producerName: text,
    opsetImport: some(optional({ domain: text, version: int64 })),
    graph,
    modelVersion: int64,
  },
  { requiredKeys: ['graph'] },
);

describe('decodeModel and encodeModel', () => {
  it('agree with onnx-proto on random models, value for value and byte for byte', () => {
    fc.assert(
      fc.property(model, (object) => {
        const reference = onnx.ModelProto.fromObject(object);
        const encoded = onnx.ModelProto.encode(reference).finish();
        const ours = decodeModel(encoded);
        const decoded = onnx.ModelProto.decode(encoded);
        expect(plain(ours)).toEqual(onnx.ModelProto.toObject(decoded, { longs: String, bytes: Array }));
        expect([...encodeModel(ours)]).toEqual([...encoded]);
      }),
      { numRuns: 300 },
    );
  });

  it('keep explicit zeros and empty strings, and leave absent fields undefined', () => {
    const attributes = message(
      { id: 1, bytes: '' },
      { id: 2, float: 0 },
      { id: 3, varint: 0 },
      { id: 4, bytes: '' },
      { id: 20, varint: 0 },
    );
    const bytes = modelBytes(message({ id: 1, bytes: message({ id: 3, bytes: '' }, { id: 5, bytes: attributes }) }));
    expect(roundTrip(bytes)).toEqual([...bytes]);
    const node = decodeModel(bytes).graph!.node![0]!;
    expect(node).toMatchObject({ name: '', attribute: [{ name: '', f: 0, i: 0, type: 0 }] });
    expect(node.input).toBeUndefined();
    expect(node.opType).toBeUndefined();
  });

  it('keep fields newer than onnx-proto: overload, metadata_props, device_configurations, configuration', () => {
    const entry = message({ id: 1, bytes: 'k' }, { id: 2, bytes: 'v' });
    const dim = message({ id: 1, varint: 4 }, { id: 3, varint: 2 });
    const groups = message({ id: 1, varint: -1 }, { id: 2, varint: 0 }, { id: 2, varint: 1 });
    const sharding = message(
      { id: 1, bytes: 'x' },
      { id: 2, varint: 0 },
      { id: 2, varint: 300 },
      { id: 3, bytes: groups },
      { id: 4, bytes: message({ id: 1, varint: -1 }, { id: 2, bytes: dim }) },
    );
    const devices = message({ id: 1, bytes: 'two' }, { id: 2, bytes: sharding }, { id: 3, varint: 1 });
    const node = message(
      { id: 4, bytes: 'Add' },
      { id: 8, bytes: 'o' },
      { id: 9, bytes: entry },
      { id: 10, bytes: devices },
    );
    const func = message(
      { id: 1, bytes: 'f' },
      { id: 7, bytes: node },
      { id: 11, bytes: message({ id: 1, bytes: 'alpha' }) },
      { id: 12, bytes: message({ id: 1, bytes: 'v' }) },
      { id: 13, bytes: 'o' },
      { id: 14, bytes: entry },
    );
    const device = message(
      { id: 1, bytes: 'two' },
      { id: 2, varint: 2 },
      { id: 3, bytes: 'gpu0' },
      { id: 3, bytes: 'gpu1' },
    );
    const graph = message({ id: 1, bytes: node }, { id: 16, bytes: entry });
    const bytes = modelBytes(graph, { id: 14, bytes: entry }, { id: 25, bytes: func }, { id: 26, bytes: device });
    expect(roundTrip(bytes)).toEqual([...bytes]);
    const decoded = decodeModel(bytes);
    expect(decoded.graph!.node![0]).toMatchObject({ overload: 'o', metadataProps: [{ key: 'k', value: 'v' }] });
    expect(decoded.functions![0]).toMatchObject({ overload: 'o', attributeProto: [{ name: 'alpha' }] });
    const fields = JSON.stringify([decoded.configuration, decoded.graph!.node![0]!.deviceConfigurations]);
    expect(fields).toContain('"device":["gpu0","gpu1"]');
    expect(fields).toContain('"indexToDeviceGroupMap":[{"key":-1,"value":[0,1]}]');
    expect(fields).toContain('"shardedDim":[{"axis":-1,"simpleSharding":[{"dimValue":4,"numShards":2}]}]');
  });

  it('keep unknown fields of every wire type, groups among them, and values of enums that are newer', () => {
    const group = Uint8Array.of(0x9b, 0x06, 0x08, 0x05, 0x13, 0x10, 0x07, 0x14, 0x9c, 0x06);
    const unknown = message(
      { id: 99, varint: 5 },
      { id: 100, bytes: 'abc' },
      { id: 101, float: 1.5 },
      { id: 1, raw: group },
    );
    const attribute = message({ id: 1, bytes: 'a' }, { id: 20, varint: 77 });
    const bytes = modelBytes(message({ id: 1, bytes: message({ id: 5, bytes: attribute }, { id: 1, raw: unknown }) }));
    expect(roundTrip(bytes)).toEqual([...bytes]);
    const node = decodeModel(bytes).graph!.node![0]!;
    expect(node.attribute![0]!.type).toBe(77);
    expect(node.$unknowns).toHaveLength(4);
    expect({ ...node }.$unknowns).toBe(node.$unknowns);
  });

  it('keep repeated scalars packed or unpacked, as they were', () => {
    const packed = message(
      { id: 7, bytes: new Uint8Array(new Float32Array([1, -2]).buffer) },
      { id: 8, bytes: Uint8Array.of(1, 0x96, 1) },
    );
    const unpacked = message({ id: 7, float: 1 }, { id: 7, float: -2 }, { id: 8, varint: 1 }, { id: 8, varint: 150 });
    for (const attribute of [packed, unpacked]) {
      const bytes = modelBytes(message({ id: 1, bytes: message({ id: 5, bytes: attribute }) }));
      expect(roundTrip(bytes)).toEqual([...bytes]);
      expect(decodeModel(bytes).graph!.node![0]!.attribute![0]).toEqual({ floats: [1, -2], ints: [1, 150] });
    }
  });

  it('merge a graph that was split in two', () => {
    const first = message({ id: 2, bytes: 'g' }, { id: 1, bytes: message({ id: 4, bytes: 'Relu' }) });
    const second = message({ id: 1, bytes: message({ id: 4, bytes: 'Abs' }) });
    const bytes = modelBytes(first, { id: 7, bytes: second });
    expect(decodeModel(bytes).graph).toEqual({ name: 'g', node: [{ opType: 'Relu' }, { opType: 'Abs' }] });
  });

  it.each([
    0n,
    -1n,
    2n ** 53n - 1n,
    -(2n ** 53n) + 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 53n),
    2n ** 63n - 1n,
    -(2n ** 63n),
  ])('keep the int64 %s', (value) => {
    const object = { graph: { node: [{ attribute: [{ i: value.toString(), ints: [value.toString()] }] }] } };
    const encoded = onnx.ModelProto.encode(onnx.ModelProto.fromObject(object)).finish();
    const attribute = decodeModel(encoded).graph!.node![0]!.attribute![0]!;
    const safe = value > -(2n ** 53n) && value < 2n ** 53n;
    expect(attribute).toEqual({ i: safe ? Number(value) : value, ints: [safe ? Number(value) : value] });
    expect(roundTrip(encoded)).toEqual([...encoded]);
  });

  it('keep strings that are not UTF-8', () => {
    const name = Uint8Array.of(0xc4, 0xe3, 0x41, 0xff, 0xed, 0xb2, 0x80, 0xe4, 0xbd, 0xa0);
    const bytes = modelBytes(message({ id: 2, bytes: name }));
    expect(roundTrip(bytes)).toEqual([...bytes]);
    expect(decodeModel(bytes).graph!.name).toContain('A');
    expect(decodeModel(bytes).graph!.name).toContain('你');
  });

  it('read nothing deeper than protoc does, and say so', () => {
    const nest = (depth: number): Uint8Array =>
      depth === 0
        ? message({ id: 2, bytes: 'inner' })
        : message({ id: 1, bytes: message({ id: 5, bytes: message({ id: 6, bytes: nest(depth - 1) }) }) });
    expect(roundTrip(modelBytes(nest(32)))).toEqual([...modelBytes(nest(32))]);
    const error = qdqError(() => decodeModel(modelBytes(nest(50)), 'deep.onnx'));
    expect(error.code).toBe('ONNX_MALFORMED');
    expect(error.message).toContain('depth');
  });

  it('take models of the onnx-proto package', () => {
    const theirs = onnx.ModelProto.create({
      irVersion: 8,
      graph: { name: 'g', node: [{ opType: 'Relu', input: ['x'], output: ['y'] }] },
    });
    expect(fromOnnxProto(theirs)).toEqual({
      irVersion: 8,
      graph: { name: 'g', node: [{ opType: 'Relu', input: ['x'], output: ['y'] }] },
    });
    expect(qdqError(() => fromOnnxProto({ graph: {} })).code).toBe('ONNX_NOT_ONNX_PROTO');
  });
});

describe('damaged bytes', () => {
  const whole = onnx.ModelProto.encode(
    onnx.ModelProto.fromObject({
      irVersion: 8,
      graph: {
        name: 'g',
        node: [{ opType: 'Conv', attribute: [{ name: 'pads', ints: [1, 1] }] }],
        initializer: [{ name: 'w', dims: [2], rawData: Buffer.alloc(50) }],
      },
    }),
  ).finish();

  it('are reported with file, offset and number of missing bytes', () => {
    for (let length = 3; length < whole.length; length++) {
      const error = qdqError(() => decodeModel(whole.subarray(0, length), 'cut.onnx'));
      if (length === 3) continue;
      expect(error.code).toBe('ONNX_TRUNCATED');
      expect(error.message).toBe(`cut.onnx: ends ${whole.length - length} bytes too early, within the field at byte 3`);
    }
  });

  it('are an error or a model, never anything else', () => {
    const positions = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(positions, (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          encodeModel(decodeModel(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(QdqError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('inside a message are not called truncation', () => {
    const error = qdqError(() =>
      decodeModel(modelBytes(Uint8Array.of(0x0a, 0x7f, 0x00), { id: 2, bytes: 'x' }), 'bad.onnx'),
    );
    expect(error.code).toBe('ONNX_MALFORMED');
    expect(error.message).toContain('bad.onnx');
  });

  it('without a graph are no model', () => {
    expect(qdqError(() => decodeModel(message({ id: 1, varint: 8 }), 'x.onnx')).code).toBe('ONNX_NO_GRAPH');
  });
});

describe('large payloads', () => {
  /** As much as you like of one byte, without memory. */
  class Fill implements RangeSource {
    readonly byteLength: number;
    constructor(byteLength: number) {
      this.byteLength = byteLength;
    }
    read(_offset: number, length: number): Uint8Array {
      return new Uint8Array(length).fill(7);
    }
    slice(_offset: number, length: number): Payload {
      return new Fill(length);
    }
  }

  /** A source over segments that records what was sliced. */
  class Segments extends JoinedBytes implements RangeSource {
    readonly slices: [number, number][] = [];
    slice(offset: number, length: number): ByteSource {
      this.slices.push([offset, length]);
      return new Fill(length);
    }
  }

  it('are not copied in memory', () => {
    const raw = new Uint8Array(5000).fill(3);
    const bytes = modelWithTensor(message({ id: 9, bytes: raw }));
    const payload = decodeModel(bytes).graph!.initializer![0]!.rawData as Uint8Array;
    expect(payload.buffer).toBe(bytes.buffer);
    expect(roundTrip(bytes)).toEqual([...bytes]);
  });

  it('beyond 4 GiB keep their lengths and offsets', () => {
    const sizes = [5 * 2 ** 30 + 3, 4096, 6 * 2 ** 30];
    const proto: ModelProto = {
      irVersion: 8,
      producerName: 'after the holes the skeleton goes on',
      graph: {
        name: 'g',
        initializer: sizes.map((size, i) => ({ name: `w${i}`, rawData: new Fill(size) })),
        docString: 'end',
      },
      opsetImport: [{ version: 21 }],
    };
    const writer = writeModel(proto);
    const source = new Segments(writer.segments());
    expect(source.byteLength).toBe(writer.byteLength);
    expect(writer.byteLength).toBeGreaterThan(11 * 2 ** 30);
    const decoded = decodeModel(source);
    expect(decoded.graph!.initializer!.map(({ rawData }) => rawData!.byteLength)).toEqual(sizes);
    expect(decoded).toMatchObject({ graph: { name: 'g', docString: 'end' }, opsetImport: [{ version: 21 }] });
    expect(source.slices.map(([, length]) => length)).toEqual(sizes);
    for (const [offset, length] of source.slices) {
      expect(toBytes(new MemoryBytes(source.read(offset, 2)))).toEqual(Uint8Array.of(7, 7));
      expect(source.read(offset + length - 1, 2)[0]).toBe(7);
      expect(source.read(offset - 1, 1)[0]).not.toBe(7);
    }
    expect(qdqError(() => encodeModel(proto)).code).toBe('ONNX_TOO_LARGE');
  });

  it('in unknown fields stay lazy too', () => {
    const bytes = modelBytes(message({ id: 99, bytes: new Uint8Array(10000) }));
    expect((decodeModel(bytes).graph!.$unknowns![0] as Uint8Array).buffer).toBe(bytes.buffer);
    expect(roundTrip(bytes)).toEqual([...bytes]);
  });
});
