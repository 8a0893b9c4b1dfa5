/** Constants reach onnxruntime unchanged, wherever they lie: in the file, in another one, in memory, or made when they are asked for. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { serializeModel, type SerializedModel } from '../../src/backends/serialized-model.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { DataTypeName } from '../../src/onnx/data-types.ts';
import { encodeModel, loadModel } from '../../src/onnx/model-file.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { body, buildModel, buildProto, constant, f32, node } from '../support/build.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'qdq-stub-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = 4096;
/** Of floats; one more than a constant that travels in the buffer may have. */
const weights = f32([32, 33]);
const built = (): Model =>
  buildModel({
    inputs: { x: [1, 32] },
    initializers: { w: weights, bias: f32([33]) },
    nodes: [node('MatMul', ['x', 'w'], ['p']), node('Add', ['p', 'bias'], ['y'])],
    outputs: { y: [1, 33] },
  });
const x = { type: 'float32' as const, dims: [1, 32], data: Float32Array.from({ length: 32 }, (_, i) => Math.cos(i)) };

async function outputs(source: Model | SerializedModel): Promise<number[]> {
  const session = await openSession(source);
  try {
    return Array.from((await session.run({ x }))['y']!.data, Number);
  } finally {
    await session.dispose();
  }
}

/** With everything in one buffer, as onnxruntime itself reads a file. */
function expected(model: Model): Promise<number[]> {
  return outputs({ bytes: encodeModel(modelToProto(model)), folder: undefined, memory: [], own: [] });
}

describe('serializeModel', () => {
  it('leaves large constants of the file in the file, or reads them when the folder is another', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, encodeModel(modelToProto(built())));
    const { proto, dir } = loadModel(path);
    const [here, elsewhere] = [modelFromProto(proto, dir), modelFromProto(proto)];
    const [serialized, copy] = [serializeModel(here, 'model'), serializeModel(elsewhere, 'model')];
    expect([serialized.folder, serialized.memory.length]).toEqual([folder, 0]);
    expect([copy.folder, copy.memory.length, copy.own.length]).toEqual([undefined, 1, 2]);
    expect(copy.bytes.length).toBeLessThan(1000);
    const values = await expected(built());
    expect(await outputs(here)).toEqual(values);
    expect(await outputs(elsewhere)).toEqual(values);
  });

  it('follows links to where the file really lies, as downloaded models are linked from a folder of blobs', async () => {
    const [blobs, snapshot] = ['blobs', 'snapshot'].map((name) => join(folder, name)) as [string, string];
    for (const each of [blobs, snapshot]) mkdirSync(each);
    writeFileSync(join(blobs, 'abc'), encodeModel(modelToProto(built())));
    symlinkSync(join('..', 'blobs', 'abc'), join(snapshot, 'model.onnx'));
    const { proto, dir } = loadModel(join(snapshot, 'model.onnx'));
    const linked = modelFromProto(proto, dir);
    expect(serializeModel(linked, 'model')).toMatchObject({ folder: blobs, memory: [] });
    expect(await outputs(linked)).toEqual(await expected(built()));
  });

  it.each([
    { most: 'the file', changed: 'w', passed: 0, made: 1 },
    { most: 'memory', changed: 'v', passed: 2, made: 2 },
  ])('takes all from one place, that of most: $most', async ({ changed, passed, made }) => {
    const path = join(folder, 'mixed.onnx');
    const mixed = buildModel({
      inputs: { x: [1, 32] },
      initializers: { w: weights, v: f32([33, 40]) },
      nodes: [node('MatMul', ['x', 'w'], ['p']), node('MatMul', ['p', 'v'], ['y'])],
      outputs: { y: [1, 40] },
    });
    writeFileSync(path, encodeModel(modelToProto(mixed)));
    const { proto, dir } = loadModel(path);
    const model = modelFromProto(proto, dir);
    const halves = mixed.graph.values
      .get(changed)!
      .initializer!.floats()
      .map((value) => value / 2);
    for (const { graph } of [model, mixed]) {
      const value = graph.values.get(changed)!;
      value.initializer = Tensor.of(changed, 'float32', [...value.initializer!.dims], halves);
    }
    const serialized = serializeModel(model, 'model');
    expect([serialized.folder !== undefined, serialized.memory.length, serialized.own.length]).toEqual([
      passed === 0,
      passed,
      made,
    ]);
    expect(await outputs(model)).toEqual(await expected(mixed));
  });

  it('finds the constants of bodies in the file', async () => {
    const path = join(folder, 'body.onnx');
    const proto = buildProto({
      inputs: { x: [1, 32] },
      initializers: { w: weights, yes: constant('bool', [], [1]) },
      nodes: [
        node('If', ['yes'], ['s'], {
          then_branch: body({
            initializers: { s0: f32([33]) },
            nodes: [node('Identity', ['s0'], ['s1'])],
            outputs: ['s1'],
          }),
          else_branch: body({ nodes: [node('Constant', [], ['s2'], { value: f32([33]) })], outputs: ['s2'] }),
        }),
        node('MatMul', ['x', 'w'], ['p']),
        node('Add', ['p', 's'], ['y']),
      ],
      outputs: { y: [1, 33] },
    });
    const inside = proto.graph!.node![0]!.attribute![0]!.g!.initializer![0]!;
    const whole = await expected(modelFromProto(proto));
    writeFileSync(join(folder, 'body.bin'), inside.rawData as Uint8Array);
    const { rawData: _, ...rest } = inside;
    proto.graph!.node![0]!.attribute![0]!.g!.initializer![0] = {
      ...rest,
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'body.bin' }],
    };
    writeFileSync(path, encodeModel(proto));
    const file = loadModel(path);
    const model = modelFromProto(file.proto, file.dir);
    model.graph.values.get('w')!.initializer = Tensor.of('w', 'float32', [32, 33], weights.data as Float32Array);
    expect(await outputs(model)).toEqual(whole);
  });

  it('passes the arrays of the model, which stay as they are', async () => {
    const model = built();
    const { memory, own } = serializeModel(model, 'model');
    expect(memory.map(({ data }) => data.length)).toEqual([4 * 32 * 33]);
    expect(own).toHaveLength(1);
    const values = await outputs(model);
    expect(values).toEqual(await expected(model));
    expect(memory[0]!.data).toHaveLength(4 * 32 * 33);
    // The session before has copied them: these are read anew.
    expect(await outputs(model)).toEqual(values);
  });

  it('makes constants that are made when asked for', async () => {
    const model = built();
    const bytes = new Uint8Array(Float32Array.from(weights.data as Float32Array).buffer);
    const source = {
      byteLength: bytes.length,
      read: (offset: number, length: number) => bytes.slice(offset, offset + length),
    };
    model.graph.values.get('w')!.initializer = Tensor.lazy('w', 'float32', [32, 33], source);
    expect(serializeModel(model, 'model').own).toHaveLength(2);
    expect(await outputs(model)).toEqual(await expected(built()));
  });

  it.each<DataTypeName>(['float64', 'float16', 'int64', 'uint8', 'bool', 'int8'])('takes %s', async (type) => {
    const values = Array.from({ length: size }, (_, i) => (type === 'bool' ? i % 2 : i % 100));
    const model = buildModel({
      inputs: { ids: { type: 'int64', dims: ['n'] } },
      initializers: { table: constant(type, [size], values) },
      nodes: [node('Gather', ['table', 'ids'], ['y'])],
      outputs: { y: { type, dims: ['n'] } },
    });
    expect(serializeModel(model, 'model').memory).toHaveLength(1);
    const session = await openSession(model);
    const { y } = await session.run({ ids: { type: 'int64', dims: [2], data: BigInt64Array.of(4095n, 98n) } });
    await session.dispose();
    expect([...y!.data].map(Number)).toEqual([values[4095], values[98]]);
  });

  it('takes packed types', async () => {
    const packed = Uint8Array.from({ length: size }, (_, i) => i % 256);
    const model = buildModel({
      opset: 21,
      irVersion: 10,
      inputs: {},
      initializers: { table: constant('int8', [1, 2 * size]), scale: f32([1], [1]) },
      nodes: [node('DequantizeLinear', ['table', 'scale'], ['y'], { axis: 0 })],
      outputs: { y: [1, 2 * size] },
    });
    model.graph.values.get('table')!.initializer = Tensor.of('table', 'int4', [1, 2 * size], packed);
    const session = await openSession(model, { level: 'disabled' });
    const { y } = await session.run({});
    await session.dispose();
    const nibble = (value: number): number => (value > 7 ? value - 16 : value);
    const codes = [...packed].flatMap((byte) => [nibble(byte % 16), nibble(byte >> 4)]);
    expect([...y!.data].map(Number)).toEqual(codes);
  });

  it('names a constant that is too large for onnxruntime', () => {
    const model = built();
    const source = { byteLength: 2 ** 31, read: () => new Uint8Array() };
    model.graph.values.get('w')!.initializer = Tensor.lazy('w', 'float32', [2 ** 29], source);
    expect(() => serializeModel(model, 'the model')).toThrow(
      "the model holds constant 'w' of 2147483648 bytes in memory",
    );
  });
});
