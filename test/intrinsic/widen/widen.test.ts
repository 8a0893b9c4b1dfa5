import { describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { withFloat32Ports } from '../../../src/backends/other-forms.ts';
import { modelFromProto } from '../../../src/graph/from-proto.ts';
import type { Model } from '../../../src/graph/model.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import { modelToProto } from '../../../src/graph/to-proto.ts';
import { castInput, openPorts } from '../../../src/intrinsic/widen/ports.ts';
import { widen } from '../../../src/intrinsic/widen/widen.ts';
import { dataType, type DataTypeName, type TensorValue } from '../../../src/onnx/data-types.ts';
import { float32ToBfloat16, float32ToFloat16, fromFloat32 } from '../../../src/onnx/narrow-types.ts';
import { attributeTypes, type FunctionProto } from '../../../src/onnx/messages.ts';
import {
  body,
  buildModel,
  buildProto,
  constant,
  f32,
  i64,
  node,
  scalar,
  type Constant,
  type ModelSpec,
} from '../../support/build.ts';

type Other = 'float16' | 'bfloat16' | 'float64';

function as(type: Other, { dims, data }: Constant): Constant {
  const single = data as Float32Array;
  if (type === 'float64') return { type, dims, data: Float64Array.from(single) };
  return { type, dims, data: fromFloat32(single, type === 'float16' ? float32ToFloat16 : float32ToBfloat16) };
}

const code = (type: DataTypeName): number => dataType(type).code;

/** Two layers with all that says a type: a Cast, ConstantOfShape, an If whose branches hold constants. */
function network(type: Other): ModelSpec {
  const of = (dims: readonly number[]): Constant => as(type, f32(dims));
  const branch = (name: string): ReturnType<typeof body> =>
    body({
      initializers: { [`${name}/w`]: of([6, 6]) },
      nodes: [node('MatMul', ['h', `${name}/w`], [`${name}/y`])],
      outputs: { [`${name}/y`]: { type, dims: ['n', 6] } },
    });
  return {
    inputs: { x: { type, dims: ['n', 4] }, flag: { type: 'bool', dims: [] } },
    initializers: { w: of([4, 6]), shape: i64([6]) },
    nodes: [
      node('MatMul', ['x', 'w'], ['a']),
      node('Cast', ['a'], ['a32'], { to: code('float32') }),
      node('Relu', ['a32'], ['r32']),
      node('Cast', ['r32'], ['r'], { to: code(type) }),
      node('ConstantOfShape', ['shape'], ['c'], { value: as(type, f32([1], [0.5])) }),
      node('Add', ['r', 'c'], ['h']),
      node('If', ['flag'], ['y'], { then_branch: branch('then'), else_branch: branch('else') }),
    ],
    outputs: { y: { type, dims: ['n', 6] }, h: { type, dims: ['n', 6] } },
  };
}

async function run(model: Model, feeds: Record<string, TensorValue>): Promise<Record<string, TensorValue>> {
  const session = withFloat32Ports(await openSession(model, { level: 'disabled' }));
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

const x: TensorValue = { type: 'float32', dims: [3, 4], data: f32([3, 4]).data as Float32Array };
const flag: TensorValue = { type: 'bool', dims: [], data: Uint8Array.of(1) };

function typesIn(model: Model): Set<string> {
  const types = new Set<string>();
  for (const graph of model.graph.graphs()) {
    const ports = graph === model.graph ? [...graph.inputs, ...graph.outputs] : [];
    for (const value of graph.values.values()) if (!ports.includes(value)) types.add(value.type ?? 'none');
  }
  return types;
}

describe('widen', () => {
  it.each([
    ['float16', 2e-3],
    ['float64', 1e-6],
  ] as const)('%s: the same results, ports of the same type, nothing of it inside', async (type, tolerance) => {
    const source = buildModel(network(type));
    const before = await run(source, { x, flag });
    const model = buildModel(network(type));
    expect(widen(model)).toMatchObject({ types: [type], ports: [] });
    checkModel(model);
    expect(model.graph.inputs.map((value) => value.type)).toEqual([type, 'bool']);
    expect(model.graph.outputs.map((value) => [value.name, value.type])).toEqual([
      ['y', type],
      ['h', type],
    ]);
    expect(typesIn(model)).not.toContain(type);
    // The two Casts inside said nothing any more.
    expect([...model.graph.nodes()].filter(({ opType }) => opType === 'Cast')).toHaveLength(3);
    const after = await run(model, { x, flag });
    for (const name of ['y', 'h']) {
      const [a, b] = [before[name]!.data, after[name]!.data];
      a.forEach((value, index) => expect(Math.abs(Number(value) - Number(b[index]))).toBeLessThan(tolerance));
    }
  });

  it('bfloat16: ports become float32, which the runtime can feed', async () => {
    const model = buildModel(network('bfloat16'));
    expect(widen(model)).toMatchObject({ types: ['bfloat16'], ports: ['x', 'y', 'h'] });
    checkModel(model);
    expect(typesIn(model)).not.toContain('bfloat16');
    const { y } = await run(model, { x, flag });
    expect(y!.type).toBe('float32');
  });

  it('a session that has no kernels for the types runs the widened form, and says so', async () => {
    const session = await openSession(buildModel(network('bfloat16')));
    expect(session.widened).toEqual(['bfloat16']);
    await session.dispose();
  });

  it('leaves float32 models, and float64 that only counts, alone', () => {
    const plain = buildModel({
      inputs: { x: [1, 4] },
      initializers: { w: f32([4, 4]), k: scalar('float64', 2) },
      nodes: [
        node('MatMul', ['x', 'w'], ['y']),
        node('Shape', ['x'], ['s']),
        node('Cast', ['s'], ['d'], { to: code('float64') }),
        node('Mul', ['d', 'k'], ['e']),
        node('Cast', ['e'], ['z'], { to: code('int64') }),
      ],
      outputs: ['y', 'z'],
    });
    const before = modelToProto(plain);
    expect(widen(plain)).toBeUndefined();
    expect(modelToProto(plain)).toEqual(before);
  });

  it('float64 beyond float32 stays finite', () => {
    const model = buildModel({
      inputs: { x: { type: 'float64', dims: [1, 2] } },
      initializers: { w: constant('float64', [2, 2]), mask: constant('float64', [1, 2], [-1.7e308, 0]) },
      nodes: [node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'mask'], ['y'])],
      outputs: { y: { type: 'float64', dims: [1, 2] } },
    });
    widen(model);
    expect(model.graph.values.get('mask')!.constant!.floats()).toEqual(Float32Array.of(-3.4028234663852886e38, 0));
  });

  it('large constants are made when they are read, in any pieces', () => {
    const big = as('float16', f32([100, 70]));
    const model = buildModel({
      inputs: { x: { type: 'float16', dims: [1, 100] } },
      initializers: { w: big },
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      outputs: { y: { type: 'float16' } },
    });
    const whole = Float32Array.from(model.graph.values.get('w')!.constant!.floats());
    widen(model);
    const { constant: wide } = model.graph.values.get('w')!;
    const payload = wide!.payload();
    expect(payload).not.toBeInstanceOf(Uint8Array);
    expect(wide!.floats()).toEqual(whole);
    const bytes = new Uint8Array(whole.buffer);
    for (const [offset, length] of [
      [0, 4],
      [3, 9],
      [4097, 1023],
      [27_999, 1],
    ] as const) {
      const piece = new Uint8Array(length);
      (payload as { readInto(offset: number, target: Uint8Array): void }).readInto(offset, piece);
      expect(piece).toEqual(bytes.slice(offset, offset + length));
    }
  });

  it('reaches into local functions', () => {
    const proto = buildProto({
      domains: { local: 1 },
      inputs: { x: { type: 'float16', dims: [2, 2] } },
      nodes: [node('Half', ['x'], ['y'], {}, { domain: 'local' })],
      outputs: { y: { type: 'float16', dims: [2, 2] } },
    });
    const callee: FunctionProto = {
      name: 'Half',
      domain: 'local',
      input: ['a'],
      output: ['b'],
      opsetImport: [{ domain: '', version: 17 }],
      node: [
        { opType: 'Cast', input: ['a'], output: ['c'], attribute: [{ name: 'to', i: 10, type: attributeTypes.int }] },
        { opType: 'Neg', input: ['c'], output: ['b'] },
      ],
    };
    const model = modelFromProto({ ...proto, functions: [callee] });
    widen(model);
    checkModel(model);
    expect([...model.graph.nodes()].map(({ opType }) => opType)).toEqual(['Cast', 'Neg', 'Cast']);
  });

  it('an operator that nobody knows keeps the types it was written for', () => {
    const model = buildModel({
      domains: { mine: 1 },
      inputs: { x: { type: 'float16', dims: [2, 2] } },
      initializers: { w: as('float16', f32([2, 2])) },
      nodes: [
        node('MatMul', ['x', 'w'], ['a']),
        node('Own', ['a'], ['b'], {}, { domain: 'mine' }),
        node('Neg', ['b'], ['y']),
      ],
      outputs: { y: { type: 'float16', dims: [2, 2] } },
    });
    widen(model);
    checkModel(model);
    const own = [...model.graph.nodes()].find(({ opType }) => opType === 'Own')!;
    expect(own.input(0)!.type).toBe('float16');
    expect(own.output()!.type).toBe('float16');
    expect(own.output()!.soleUser!.int('to')).toBe(code('float32'));
  });

  it('an input that is an output too, and a constant output, keep their types', () => {
    const model = buildModel({
      inputs: { x: { type: 'float16', dims: [2] } },
      initializers: { k: as('float16', f32([2])) },
      nodes: [node('Add', ['x', 'k'], ['y'])],
      outputs: {
        y: { type: 'float16', dims: [2] },
        x: { type: 'float16', dims: [2] },
        k: { type: 'float16', dims: [2] },
      },
    });
    widen(model);
    checkModel(model);
    expect(model.graph.outputs.map(({ name, type }) => [name, type])).toEqual([
      ['y', 'float16'],
      ['x', 'float16'],
      ['k', 'float16'],
    ]);
  });
});

describe('openPorts', () => {
  it('takes the Casts at the border away and puts them back', async () => {
    const model = buildModel(network('float16'));
    widen(model);
    const nodes = model.graph.nodeCount;
    const close = openPorts(model);
    checkModel(model);
    expect(model.graph.nodeCount).toBe(nodes - 3);
    expect([...model.graph.inputs, ...model.graph.outputs].map(({ type }) => type)).toEqual([
      ...['float32', 'bool', 'float32', 'float32'],
    ]);
    close();
    checkModel(model);
    expect(model.graph.outputs.map(({ name, type }) => [name, type])).toEqual([
      ['y', 'float16'],
      ['h', 'float16'],
    ]);
    expect((await run(model, { x, flag }))['y']!.dims).toEqual([3, 6]);
  });

  it('castInput leaves an output that is that input', () => {
    const model = buildModel({ inputs: { x: [2] }, nodes: [node('Neg', ['x'], ['y'])], outputs: { y: [2], x: [2] } });
    castInput(model.graph, model.graph.inputs[0]!, 'float16');
    checkModel(model);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y', 'x']);
  });
});
