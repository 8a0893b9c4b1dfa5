/** Graphs as people really have them, through everything that `qdq quantize` does. */
import { describe, expect, it } from 'vitest';
import { buildProto, constant, f32, i64, node, scalar, type ModelSpec } from '../support/build.ts';
import type { Feeds } from '../quantized/support.ts';
import { int8Nodes, through, type Through } from './support.ts';

function wave(dims: readonly number[], seed = 0): Feeds[string] {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'float32', dims, data: Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + seed)) };
}

const square = (seed: number) =>
  f32(
    [4, 4, 1, 1],
    Array.from({ length: 16 }, (_, i) => Math.sin(i * 2.3 + seed)),
  );
const image = { x: [1, 4, 6, 6] };
const samples: Feeds[] = [{ x: wave([1, 4, 6, 6]) }, { x: wave([1, 4, 6, 6], 1) }];

/** Every output within 3 % of its largest value. */
async function close(spec: ModelSpec, feeds: readonly Feeds[] = samples): Promise<Through> {
  const result = await through(buildProto(spec), feeds);
  for (const [name, difference] of Object.entries(result.difference)) expect(difference, name).toBeLessThan(0.03);
  return result;
}

describe('names', () => {
  it('nodes without a name are called after their output', async () => {
    const conv = (from: string, to: string) => ({ ...node('Conv', [from, 'w'], [to]), name: '' });
    const { plan, executed } = await close({
      inputs: image,
      initializers: { w: square(1) },
      nodes: [conv('x', 'a'), { ...node('Softplus', ['a'], ['b']), name: '' }, conv('b', 'y')],
      outputs: ['y'],
    });
    expect(int8Nodes(plan)).toEqual(['Conv:a', 'Conv:y']);
    expect(plan.float).toMatchObject([
      { node: 'Softplus:b', op: 'Softplus', reason: 'qdq has no int8 form of Softplus' },
    ]);
    expect(executed).not.toContain('Conv');
  });

  it('nodes of one name, which onnxruntime refuses, are numbered', async () => {
    const name = { name: 'twin' };
    const { plan, executed } = await close({
      inputs: image,
      initializers: { w: square(1), v: square(2) },
      nodes: [node('Conv', ['x', 'w'], ['a'], {}, name), node('Conv', ['a', 'v'], ['y'], {}, name)],
      outputs: ['a', 'y'],
    });
    expect(plan.regions.map(({ node: label, tensor }) => [label, tensor])).toEqual([
      ['twin', 'a'],
      ['twin_1', 'y'],
    ]);
    expect(executed.filter((type) => type === 'QLinearConv')).toHaveLength(2);
  });
});

describe('constants', () => {
  it('are found although they are listed among the inputs', async () => {
    const { plan } = await close({
      irVersion: 3,
      inputs: image,
      initializers: { w: square(1), b: f32([4]) },
      initializersAsInputs: ['w', 'b'],
      nodes: [node('Conv', ['x', 'w', 'b'], ['y'], {}, { name: 'conv' })],
      outputs: ['y'],
    });
    expect(int8Nodes(plan)).toEqual(['conv']);
  });

  it('are quantized once for all nodes that read them along one axis, and once more for another axis', async () => {
    const matrix = f32(
      [6, 6],
      Array.from({ length: 36 }, (_, i) => Math.sin(i * 2.1) * (1 + (i % 6))),
    );
    const { plan, quantized } = await close(
      {
        inputs: { x: [2, 6] },
        initializers: { w: matrix },
        nodes: [
          node('Gemm', ['x', 'w'], ['a'], {}, { name: 'rows' }),
          node('Gemm', ['x', 'w'], ['b'], {}, { name: 'again' }),
          node('Gemm', ['x', 'w'], ['c'], { transB: 1 }, { name: 'columns' }),
        ],
        outputs: ['a', 'b', 'c'],
      },
      [{ x: wave([2, 6]) }],
    );
    expect(int8Nodes(plan)).toEqual(['rows', 'again', 'columns']);
    expect(plan.weights.map(({ axis }) => axis)).toEqual([1, 0]);
    const stored = [...quantized.graph.values.values()].filter((value) => value.constant?.type.name === 'int8');
    expect(stored.filter((value) => value.dims!.length === 2).map((value) => value.name)).toEqual([
      'w_quantized',
      'w_quantized_1',
    ]);
  });

  it.each([
    ['Identity', node('Identity', ['v'], ['w']), square(1)],
    ['Transpose', node('Transpose', ['v'], ['w'], { perm: [1, 0, 2, 3] }), square(1)],
    ['Reshape', node('Reshape', ['v', 'shape'], ['w']), f32([16])],
    [
      'Cast',
      node('Cast', ['v'], ['w'], { to: 1 }),
      { ...square(1), type: 'float64' as const, data: Float64Array.from(square(1).data as Float32Array) },
    ],
    ['Constant', node('Constant', [], ['w'], { value: square(1) }), scalar('float32', 0)],
  ])('are weights behind %s', async (_, before, v) => {
    const { plan } = await close({
      inputs: image,
      initializers: { v, shape: i64([4, 4, 1, 1]) },
      nodes: [before, node('Conv', ['x', 'w'], ['y'], {}, { name: 'conv' })],
      outputs: ['y'],
    });
    expect(int8Nodes(plan)).toEqual(['conv']);
  });

  it('that are stored sparse are kept', async () => {
    const proto = buildProto({
      inputs: image,
      initializers: { w: square(1) },
      nodes: [
        node('Conv', ['x', 'w'], ['a'], {}, { name: 'conv' }),
        node('Conv', ['a', 's'], ['y'], {}, { name: 'sparse' }),
      ],
      outputs: ['y'],
    });
    const { data } = f32([4], [1, -2, 3, 0.5]);
    proto.graph!.sparseInitializer = [
      {
        values: { name: 's', dims: [4], dataType: 1, rawData: new Uint8Array((data as Float32Array).buffer) },
        indices: {
          name: 's_indices',
          dims: [4],
          dataType: 7,
          rawData: new Uint8Array(BigInt64Array.of(0n, 5n, 10n, 15n).buffer),
        },
        dims: [4, 4, 1, 1],
      },
    ];
    const { plan, float, difference } = await through(proto, samples);
    expect(int8Nodes(plan)).toEqual(['conv']);
    expect(float).toEqual({ sparse: "its constant 's' is stored sparse, which is kept" });
    expect(difference['y']).toBeLessThan(0.03);
  });
});

describe('edges of the graph', () => {
  it('nodes that nothing reads go; inputs nobody reads stay', async () => {
    const { quantized, plan } = await close(
      {
        inputs: { ...image, unused: [2] },
        initializers: { w: square(1) },
        nodes: [
          node('Conv', ['x', 'w'], ['y'], {}, { name: 'conv' }),
          node('Conv', ['x', 'w'], ['dead'], {}, { name: 'dead' }),
          node('Relu', ['dead'], ['deader']),
        ],
        outputs: ['y'],
      },
      samples.map((feeds) => ({ ...feeds, unused: wave([2]) })),
    );
    expect(int8Nodes(plan)).toEqual(['conv']);
    expect(quantized.graph.inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
  });

  it('outputs that are read inside, and inputs passed straight on, keep their names', async () => {
    const { quantized, executed } = await close({
      inputs: image,
      initializers: { w: square(1), v: square(2) },
      nodes: [
        node('Conv', ['x', 'w'], ['a']),
        node('Relu', ['a'], ['b']),
        node('Conv', ['b', 'v'], ['c']),
        node('Add', ['c', 'b'], ['y']),
      ],
      outputs: ['a', 'x', 'b', 'y', 'c'],
    });
    expect(quantized.graph.outputs.map(({ name }) => name)).toEqual(['a', 'x', 'b', 'y', 'c']);
    expect(executed).not.toContain('Conv');
  });
});

describe('shapes', () => {
  it('tensors without elements have no range and stay float', async () => {
    const { plan, float, ranges } = await close(
      {
        inputs: { ...image, e: [0, 4, 6, 6] },
        initializers: { w: square(1) },
        nodes: [
          node('Conv', ['x', 'w'], ['y'], {}, { name: 'conv' }),
          node('Conv', ['e', 'w'], ['z'], {}, { name: 'nothing' }),
        ],
        outputs: ['y', 'z'],
      },
      samples.map((feeds) => ({ ...feeds, e: wave([0, 4, 6, 6]) })),
    );
    expect(int8Nodes(plan)).toEqual(['conv']);
    expect(ranges.get('e')).toEqual({ min: 0, max: 0 });
    expect(float['nothing']).toBe("tensor 'e' was zero, empty or never computed with every sample: it has no range");
  });

  it('what reads a range that vanished stays float too', async () => {
    const { plan } = await close(
      {
        inputs: { ...image, e: [1, 4, 6, 6] },
        initializers: { w: square(1), v: square(2), shape: i64([1, 4, 36, 1]) },
        nodes: [
          node('Conv', ['x', 'w'], ['y'], {}, { name: 'conv' }),
          node('Conv', ['e', 'w'], ['zero'], {}, { name: 'zeros' }),
          node('Reshape', ['zero', 'shape'], ['flat'], {}, { name: 'flat' }),
          node('Sigmoid', ['flat'], ['half'], {}, { name: 'half' }),
          node('Conv', ['half', 'v'], ['z'], {}, { name: 'after' }),
        ],
        outputs: ['y', 'z'],
      },
      samples.map((feeds) => ({ ...feeds, e: { ...wave([1, 4, 6, 6]), data: new Float32Array(144) } })),
    );
    expect(int8Nodes(plan)).toEqual(['conv']);
  });

  it.each([0, 1, 2, 3, 4, 5, 6])('rank %i', async (rank) => {
    const dims = [2, 1, 3, 1, 2, 2].slice(0, rank);
    const size = dims.reduce((product, dim) => product * dim, 1);
    const { executed } = await close(
      {
        inputs: { m: [1, size] },
        initializers: {
          w: f32(
            [size, size],
            Array.from({ length: size * size }, (_, i) => Math.cos(i)),
          ),
          shape: i64(dims),
          row: i64([1, size]),
        },
        nodes: [
          node('Gemm', ['m', 'w'], ['g']),
          node('Reshape', ['g', 'shape'], ['r']),
          node('Add', ['r', 'r'], ['s']),
          node('Reshape', ['s', 'row'], ['t']),
          node('Gemm', ['t', 'w'], ['y']),
        ],
        outputs: ['y'],
      },
      [{ m: wave([1, size], 1) }],
    );
    expect(executed).toContain('QLinearAdd');
  });

  it('every axis may be open and change from sample to sample', async () => {
    const { executed } = await close(
      {
        inputs: { x: ['n', 'c', 'h', 'w'] },
        initializers: { w: square(1), v: square(2) },
        nodes: [node('Conv', ['x', 'w'], ['a']), node('Relu', ['a'], ['b']), node('Conv', ['b', 'v'], ['y'])],
        outputs: { y: ['n', null, null, null] },
      },
      [{ x: wave([1, 4, 6, 6]) }, { x: wave([3, 4, 2, 9], 1) }, { x: wave([2, 4, 1, 1], 2) }],
    );
    expect(executed).not.toContain('Conv');
  });
});

describe('element types', () => {
  it('strings and integers go through untouched', async () => {
    const { plan, float } = await close(
      {
        inputs: { ...image, i: { type: 'int64', dims: [2, 2] } },
        initializers: {
          w: square(1),
          two: constant('int64', [2, 2], [2, 1, 0, 3]),
          words: { type: 'string', dims: [2], data: ['a', 'b'] },
          at: i64([1]),
        },
        nodes: [
          node('Conv', ['x', 'w'], ['y'], {}, { name: 'conv' }),
          node('MatMul', ['i', 'two'], ['p'], {}, { name: 'product' }),
          node('Gather', ['words', 'at'], ['word'], {}, { name: 'word' }),
          node('Equal', ['p', 'two'], ['q'], {}, { name: 'equal' }),
        ],
        outputs: ['y', 'q'],
      },
      samples.map((feeds) => ({
        ...feeds,
        i: { type: 'int64' as const, dims: [2, 2], data: BigInt64Array.of(1n, 2n, 3n, 4n) },
      })),
    );
    expect(int8Nodes(plan)).toEqual(['conv']);
    expect(float['product']).toBe("its input 'i' is int64, not float32");
  });

  it.each(['float16', 'float64'] as const)('what is %s stays, also where no type is declared', async (type) => {
    const to = { float16: 10, float64: 11 }[type];
    const { plan, float } = await close({
      inputs: image,
      initializers: { w: square(1), back: i64([1, 4, 36]), turn: i64([1, 36, 4]) },
      nodes: [
        node('Conv', ['x', 'w'], ['a'], {}, { name: 'conv' }),
        node('Cast', ['a'], ['h'], { to }),
        node('Reshape', ['h', 'back'], ['l'], {}, { name: 'left' }),
        node('Reshape', ['h', 'turn'], ['r'], {}, { name: 'right' }),
        node('MatMul', ['l', 'r'], ['m'], {}, { name: 'product' }),
        node('Cast', ['m'], ['y'], { to: 1 }),
      ],
      outputs: ['y'],
    });
    expect(int8Nodes(plan)).toEqual(['conv']);
    expect(float['product']).toBe(`its input 'l' is ${type}, not float32`);
  });

  it.each(['float16', 'bfloat16'] as const)('a model all in %s is refused with that reason', async (type) => {
    const weight = constant('uint16', [4, 4, 1, 1], new Uint16Array(16).fill(0x3c00));
    const spec: ModelSpec = {
      opset: 22,
      irVersion: 10,
      inputs: { x: { type, dims: [1, 4, 6, 6] } },
      initializers: { w: { ...weight, type } },
      nodes: [node('Conv', ['x', 'w'], ['y'])],
      outputs: ['y'],
    };
    await expect(through(buildProto(spec), [])).rejects.toMatchObject({
      code: 'PLAN_NOTHING',
      message: `nothing in the model can be quantized: its input 'x' is ${type}, not float32`,
    });
  });
});

describe('models that hold quantizers already', () => {
  const quantizers = {
    s: scalar('float32', 0.02),
    z: scalar('uint8', 128),
    ws: scalar('float32', 0.01),
    wz: scalar('int8', 0),
    wq: constant(
      'int8',
      [4, 4, 1, 1],
      Array.from({ length: 16 }, (_, i) => (i * 37) % 120),
    ),
  };
  const spec: ModelSpec = {
    inputs: image,
    initializers: { ...quantizers, w: square(3), v: square(4) },
    nodes: [
      node('QuantizeLinear', ['x', 's', 'z'], ['xq'], {}, { name: 'Q' }),
      node('DequantizeLinear', ['xq', 's', 'z'], ['xd'], {}, { name: 'DQ' }),
      node('DequantizeLinear', ['wq', 'ws', 'wz'], ['wd'], {}, { name: 'DQw' }),
      node('Conv', ['xd', 'wd'], ['a'], {}, { name: 'old' }),
      node('Softplus', ['a'], ['b'], {}, { name: 'tanh' }),
      node('Conv', ['b', 'w'], ['c'], {}, { name: 'new' }),
      node('Relu', ['c'], ['r'], {}, { name: 'relu' }),
      node('Conv', ['r', 'v'], ['y'], {}, { name: 'newer' }),
      node('Conv', ['x', 'wd'], ['z2'], {}, { name: 'weights' }),
    ],
    outputs: ['y', 'z2'],
  };

  it('are kept where they stand, and the rest is quantized', async () => {
    const { plan, float, quantized } = await close(spec);
    expect(int8Nodes(plan)).toEqual(['new', 'newer']);
    expect(float).toEqual({
      old: "already quantized: its input 'xd' comes from a DequantizeLinear",
      tanh: 'qdq has no int8 form of Softplus',
      weights: "already quantized: its input 'wd' comes from a DequantizeLinear",
    });
    expect(quantized.graph.values.get('wd')!.producer!.name).toBe('DQw');
  });

  it('keep a node whose result is quantized', async () => {
    const { float } = await close({
      inputs: image,
      initializers: { ...quantizers, w: square(3), v: square(1) },
      nodes: [
        node('Conv', ['x', 'w'], ['c'], {}, { name: 'conv' }),
        node('Relu', ['c'], ['r'], {}, { name: 'relu' }),
        node('QuantizeLinear', ['r', 's', 'z'], ['q']),
        node('DequantizeLinear', ['q', 's', 'z'], ['y']),
        node('Conv', ['x', 'v'], ['o'], {}, { name: 'other' }),
      ],
      outputs: ['y', 'o'],
    });
    expect(float).toEqual({
      conv: "already quantized: its output 'r' goes to a QuantizeLinear",
      relu: 'the node it limits stays float',
    });
  });

  it('are refused when nothing is left', async () => {
    const { nodes, ...rest } = spec;
    const old = { ...rest, nodes: nodes.slice(0, 4), outputs: ['a'] };
    await expect(through(buildProto(old), samples)).rejects.toMatchObject({ code: 'PLAN_ALREADY_QUANTIZED' });
  });
});
