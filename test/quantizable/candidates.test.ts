/** Which activations and joins run as one int8 kernel with the layer before them: the region has quantizers on its edges only. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { feed } from '../quantized/make-quantized.ts';
import { planFor, quantize, run, sqnr, type Feeds } from '../quantized/support.ts';
import { buildModel, f32, float, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';

interface Case {
  /** Nodes from x [1, 4, 6, 6] to z; `kernel` and `gone` are operator types of the graph that onnxruntime runs. */
  readonly nodes: readonly NodeProto[];
  /** Members of each region, by node name, in order. */
  readonly regions: readonly (readonly string[])[];
  readonly kernel: readonly string[];
  readonly gone: readonly string[];
}

const conv = (input: string, weight: string, output: string): NodeProto =>
  node('Conv', [input, weight, 'bias'], [output], { pads: [1, 1, 1, 1] }, { name: output });
const named = (type: string, inputs: string[], output: string, attributes = {}): NodeProto =>
  node(type, inputs, [output], attributes, { name: output });
/** The layer that reads z, so that its quantizer stays. */
const last = conv('z', 'w2', 'y');

const constants: Readonly<Record<string, Constant>> = {
  w1: f32([4, 4, 3, 3]),
  w2: f32([4, 4, 3, 3]),
  wg: f32([144, 144]),
  wh: f32([144, 8]),
  bias: f32([4]),
  zero: scalar('float32', 0),
  one: scalar('float32', 1),
  six: scalar('float32', 6),
};

const cases: Record<string, Case> = {
  'Conv + Relu': {
    nodes: [conv('x', 'w1', 'c'), named('Relu', ['c'], 'z'), last],
    regions: [['c', 'z'], ['y']],
    kernel: ['QLinearConv'],
    gone: ['Relu', 'Conv', 'FusedConv'],
  },
  'Conv + Relu6': {
    nodes: [conv('x', 'w1', 'c'), named('Clip', ['c', 'zero', 'six'], 'z'), last],
    regions: [['c', 'z'], ['y']],
    kernel: ['QLinearConv'],
    gone: ['Clip', 'Conv', 'FusedConv'],
  },
  'Conv + Relu + Clip': {
    nodes: [conv('x', 'w1', 'c'), named('Relu', ['c'], 'r'), named('Clip', ['r', 'zero', 'one'], 'z'), last],
    regions: [['c', 'r', 'z'], ['y']],
    kernel: ['QLinearConv'],
    gone: ['Relu', 'Clip', 'Conv', 'FusedConv'],
  },
  'Conv + LeakyRelu, which has a kernel of its own': {
    nodes: [conv('x', 'w1', 'c'), named('LeakyRelu', ['c'], 'z', { alpha: float(0.1) }), last],
    regions: [['c'], ['z'], ['y']],
    kernel: ['QLinearConv', 'QLinearLeakyRelu'],
    gone: ['LeakyRelu', 'Conv', 'FusedConv'],
  },
  'Conv + Sigmoid + Relu: what has a fixed range takes nothing in': {
    nodes: [conv('x', 'w1', 'c'), named('Sigmoid', ['c'], 's'), named('Relu', ['s'], 'z'), last],
    regions: [['c'], ['s'], ['z'], ['y']],
    kernel: ['QLinearConv', 'QLinearSigmoid'],
    gone: ['Sigmoid', 'Conv', 'FusedConv'],
  },
  'Conv + Add': {
    nodes: [conv('x', 'w1', 'c'), named('Add', ['c', 'x'], 'z'), last],
    regions: [['c'], ['z'], ['y']],
    kernel: ['QLinearConv', 'QLinearAdd'],
    gone: ['Add', 'Conv', 'FusedConv'],
  },
  'Conv + Add + Relu': {
    nodes: [conv('x', 'w1', 'c'), named('Add', ['c', 'x'], 'a'), named('Relu', ['a'], 'z'), last],
    regions: [['c'], ['a', 'z'], ['y']],
    kernel: ['QLinearConv', 'QLinearAdd'],
    gone: ['Add', 'Relu', 'Conv', 'FusedConv'],
  },
  'Gemm + Relu': {
    nodes: [
      named('Flatten', ['x'], 'f'),
      named('Gemm', ['f', 'wg'], 'g'),
      named('Relu', ['g'], 'z'),
      named('Gemm', ['z', 'wh'], 'y'),
    ],
    regions: [['g', 'z'], ['y']],
    kernel: ['QGemm'],
    gone: ['Relu', 'Gemm', 'FusedGemm'],
  },
  'Gemm + Clip': {
    nodes: [
      named('Flatten', ['x'], 'f'),
      named('Gemm', ['f', 'wg'], 'g'),
      named('Clip', ['g', 'zero', 'six'], 'z'),
      named('Gemm', ['z', 'wh'], 'y'),
    ],
    regions: [['g', 'z'], ['y']],
    kernel: ['QGemm'],
    gone: ['Clip', 'Gemm', 'FusedGemm'],
  },
};

const x: Feeds = {
  x: { type: 'float32', dims: [1, 4, 6, 6], data: Float32Array.from({ length: 144 }, (_, i) => Math.sin(i * 1.7)) },
};

function build({ nodes }: Case) {
  const used = new Set(nodes.flatMap((each) => each.input!));
  const initializers = Object.fromEntries(Object.entries(constants).filter(([name]) => used.has(name)));
  return buildModel({ inputs: { x: [1, 4, 6, 6] }, outputs: ['y'], initializers, nodes });
}

describe('int8 regions', () => {
  it.each(Object.entries(cases))('%s', async (_, example) => {
    const model = build(example);
    const plan = planFor(model);
    const regions = plan.regions.map(({ node: name, clamps }) => [name, ...clamps]);
    expect(regions).toEqual(example.regions);
    const inside = plan.regions.flatMap(({ tensor, outputs }) => (outputs.includes(tensor) ? [] : [tensor]));
    expect(plan.tensors.filter(({ name }) => inside.includes(name))).toEqual([]);
    const { model: int8 } = await quantize(model, x, plan);
    const { types } = await run(int8, x);
    for (const kernel of example.kernel) expect(types).toContain(kernel);
    for (const type of example.gone) expect(types).not.toContain(type);
  });

  it('end before an activation whose input something else reads', () => {
    const nodes = [conv('x', 'w1', 'c'), named('Relu', ['c'], 'r'), named('Add', ['c', 'r'], 'z'), last];
    const plan = planFor(build({ nodes, regions: [], kernel: [], gone: [] }));
    expect(plan.regions.map(({ node: name, clamps }) => [name, ...clamps])).toEqual([['c'], ['r'], ['z'], ['y']]);
  });
});

/** A constant that is added to a product: the sum is rounded to codes once, behind the addition. */
const spec: ModelSpec = {
  opset: 17,
  inputs: { x: [1, 8, 32] },
  initializers: { w: f32([32, 32]), bias: f32([32]), v: f32([32, 16]) },
  outputs: ['y'],
  nodes: [
    node('MatMul', ['x', 'w'], ['p'], {}, { name: 'product' }),
    node('Add', ['p', 'bias'], ['s'], {}, { name: 'sum' }),
    node('Transpose', ['s'], ['t'], { perm: [1, 0, 2] }, { name: 'moved' }),
    node('MatMul', ['t', 'v'], ['y'], {}, { name: 'next' }),
  ],
};

const plan = (given: ModelSpec) =>
  planQuantization(buildModel(given), { target: ortCpuX64, scheme: ortCpuX64.scheme, include: [], exclude: [] });

describe('a constant that is added to a product', () => {
  it('leaves the addition float, quantizes its result, and moves codes from there', () => {
    const { regions, tensors, float } = plan(spec);
    expect(regions.map((region) => region.node)).toEqual(['product', 'moved', 'next']);
    expect(regions[0]!.quantizedOutput).toBe(false);
    expect(tensors.map(({ name }) => name)).toEqual(expect.arrayContaining(['x', 's']));
    expect(tensors.map(({ name }) => name)).not.toContain('p');
    expect(float).toContainEqual(expect.objectContaining({ node: 'sum', reason: expect.stringContaining('once') }));
  });

  it('adds in int8 what two nodes read, or what is computed', () => {
    const read = { ...spec, outputs: ['y', 'p'] };
    expect(plan(read).regions.map((region) => region.node)).toContain('sum');
    const computed = {
      ...spec,
      nodes: [
        ...spec.nodes.slice(0, 1),
        node('Relu', ['x'], ['r']),
        node('Add', ['p', 'r'], ['s'], {}, { name: 'sum' }),
        ...spec.nodes.slice(2),
      ],
    };
    expect(plan(computed).regions.map((region) => region.node)).toContain('sum');
  });

  it('runs so in onnxruntime, without a float product', async () => {
    const model = buildModel(spec);
    const feeds = { x: feed([1, 8, 32]) };
    const { model: quantized } = await quantize(model, feeds, planFor(model));
    const [expected, real] = [await run(model, feeds), await run(quantized, feeds)];
    expect(real.types.filter((type) => /^(MatMul|Gemm|FusedMatMul|FusedGemm)$/.test(type))).toEqual([]);
    // Two products of 8-bit codes in a row.
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(30);
  });
});
