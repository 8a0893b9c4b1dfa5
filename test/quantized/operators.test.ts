/**
 * Every operator between two int8 neighbours: the emitted graph loads and runs, onnxruntime really runs the operator on codes,
 * and the integer kernels agree with the simulation of the same graph in float.
 */
import { describe, expect, it } from 'vitest';
import { knownTypes } from '../../src/ops/index.ts';
import { buildModel, f32, float, i64, node, scalar, type Constant } from '../support/build.ts';
import { anyCpu, planFor, quantize, run, sqnr, steps, type Feeds } from './support.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';

interface Case {
  /** Nodes from `a` (and `b`), both [1, 8, 6, 6] and in int8, to `z`. */
  readonly nodes: readonly NodeProto[];
  readonly initializers?: Readonly<Record<string, Constant>>;
  /** Operator types of which at least one must be in the optimized graph. */
  readonly kernel?: readonly string[];
  /** Operator types that must not be left in it (default: the case's own type). */
  readonly gone?: readonly string[];
  /** Channels of z, when not 8. */
  readonly channels?: number;
  readonly opset?: number;
  /** onnxruntime has no integer kernel: a float island between DequantizeLinear and QuantizeLinear. */
  readonly island?: true;
}

const zNode = (type: string, inputs: string[], attributes = {}): NodeProto => node(type, inputs, ['z'], attributes);

/** Less regular than f32's own pattern, whose long sums cancel. */
function noise(length: number): number[] {
  let state = 1;
  return Array.from({ length }, () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5);
}

const cases: Record<string, Case> = {
  Relu: { nodes: [zNode('Relu', ['s'])], initializers: {}, gone: ['Relu'] },
  Clip: {
    nodes: [zNode('Clip', ['s', 'low', 'high'])],
    initializers: { low: scalar('float32', 0), high: scalar('float32', 1) },
  },
  LeakyRelu: { nodes: [zNode('LeakyRelu', ['a'], { alpha: float(0.1) })], kernel: ['QLinearLeakyRelu'] },
  Sigmoid: { nodes: [zNode('Sigmoid', ['a'])], kernel: ['QLinearSigmoid'] },
  Softmax: { nodes: [zNode('Softmax', ['a'], { axis: 1 })], kernel: ['QLinearSoftmax'] },
  HardSigmoid: {
    nodes: [zNode('HardSigmoid', ['a'], { alpha: float(1 / 6), beta: float(0.5) })],
    island: true,
    gone: [],
  },
  HardSwish: { nodes: [zNode('HardSwish', ['a'])], island: true, gone: [] },
  Add: { nodes: [zNode('Add', ['a', 'b'])], kernel: ['QLinearAdd'] },
  Mul: { nodes: [zNode('Mul', ['a', 'b'])], kernel: ['QLinearMul'] },
  'Add of a constant': {
    nodes: [zNode('Add', ['a', 'k'])],
    initializers: { k: f32([8, 1, 1]) },
    kernel: ['QLinearAdd'],
    gone: ['Add'],
  },
  Concat: { nodes: [zNode('Concat', ['a', 'b'], { axis: 1 })], kernel: ['QLinearConcat'], channels: 16 },
  MaxPool: { nodes: [zNode('MaxPool', ['a'], { kernel_shape: [2, 2] })], kernel: ['MaxPool', 'NhwcMaxPool'], gone: [] },
  AveragePool: { nodes: [zNode('AveragePool', ['a'], { kernel_shape: [2, 2] })], kernel: ['QLinearAveragePool'] },
  GlobalAveragePool: { nodes: [zNode('GlobalAveragePool', ['a'])], kernel: ['QLinearGlobalAveragePool'] },
  ReduceMean: { nodes: [zNode('ReduceMean', ['a'], { axes: [2], keepdims: 1 })], island: true, gone: [] },
  Resize: {
    nodes: [zNode('Resize', ['a', '', 'scales'], { mode: 'nearest' })],
    initializers: { scales: f32([4], [1, 1, 2, 2]) },
    kernel: ['Resize'],
    gone: [],
  },
  Upsample: {
    nodes: [zNode('Upsample', ['a', 'scales'])],
    initializers: { scales: f32([4], [1, 1, 2, 2]) },
    opset: 9,
    island: true,
    gone: [],
  },
  Reshape: {
    nodes: [zNode('Reshape', ['a', 'shape'])],
    initializers: { shape: i64([1, 8, 4, 9]) },
    kernel: ['Reshape'],
    gone: [],
  },
  Flatten: {
    nodes: [node('Flatten', ['a'], ['flat']), zNode('Reshape', ['flat', 'shape'])],
    initializers: { shape: i64([1, 8, 6, 6]) },
    kernel: ['Flatten', 'Reshape'],
    gone: [],
  },
  Transpose: { nodes: [zNode('Transpose', ['a'], { perm: [0, 1, 3, 2] })], kernel: ['Transpose'], gone: [] },
  Squeeze: {
    nodes: [node('Unsqueeze', ['a', 'axis'], ['u']), zNode('Squeeze', ['u', 'axis'])],
    initializers: { axis: i64([0]) },
    gone: [],
  },
  Unsqueeze: {
    nodes: [
      node('Unsqueeze', ['a', 'axis'], ['u']),
      node('Transpose', ['u'], ['t'], { perm: [0, 1, 2, 4, 3] }),
      zNode('Squeeze', ['t', 'axis']),
    ],
    initializers: { axis: i64([0]) },
    kernel: ['Unsqueeze'],
    gone: [],
  },
  Slice: {
    nodes: [zNode('Slice', ['a', 'starts', 'ends', 'axes'])],
    initializers: { starts: i64([1]), ends: i64([5]), axes: i64([2]) },
    kernel: ['Slice'],
    gone: [],
  },
  Split: {
    nodes: [node('Split', ['a', 'sizes'], ['p', 'q'], { axis: 1 }), zNode('Concat', ['q', 'p'], { axis: 1 })],
    initializers: { sizes: i64([3, 5]) },
    kernel: ['Split'],
    gone: ['Concat'],
  },
  Expand: {
    nodes: [node('GlobalAveragePool', ['a'], ['g']), zNode('Expand', ['g', 'shape'])],
    initializers: { shape: i64([1, 8, 6, 6]) },
    kernel: ['Expand'],
    gone: ['GlobalAveragePool'],
  },
  Gather: {
    nodes: [zNode('Gather', ['a', 'index'], { axis: 1 })],
    initializers: { index: i64([7, 6, 5, 4, 3, 2, 1, 0]) },
    kernel: ['Gather'],
    gone: [],
  },
  Pad: { nodes: [zNode('Pad', ['a', 'pads'])], initializers: { pads: i64([0, 0, 1, 1, 0, 0, 1, 1]) }, gone: [] },
  Conv: {
    nodes: [zNode('Conv', ['a', 'w'], { pads: [1, 1, 1, 1] })],
    initializers: { w: f32([8, 8, 3, 3]) },
    kernel: ['QLinearConv'],
  },
  ConvTranspose: {
    nodes: [zNode('ConvTranspose', ['a', 'w'])],
    initializers: { w: f32([8, 8, 2, 2]) },
    island: true,
    gone: [],
  },
  MatMul: { nodes: [zNode('MatMul', ['a', 'w'])], initializers: { w: f32([6, 6]) }, kernel: ['QLinearMatMul'] },
  'MatMul of two activations': { nodes: [zNode('MatMul', ['a', 'b'])], kernel: ['QLinearMatMul'], gone: ['MatMul'] },
  Gemm: {
    nodes: [
      node('Flatten', ['a'], ['flat']),
      node('Gemm', ['flat', 'w', 'c'], ['g'], { transB: 1 }),
      zNode('Reshape', ['g', 'shape']),
    ],
    initializers: { w: f32([72, 288], noise(72 * 288)), c: f32([72]), shape: i64([1, 8, 3, 3]) },
    kernel: ['QGemm'],
  },
};

/** x → Conv → a, x → Conv → b, a + b → s; … → z → Conv → y. */
function build({ nodes, initializers, channels = 8, opset = 17 }: Case) {
  const uses = (name: string): boolean => nodes.some((n) => n.input!.includes(name));
  const s = uses('s') ? [node('Add', ['a', 'b'], ['s'])] : [];
  const b = uses('b') || uses('s') ? [node('Conv', ['x', 'wb'], ['b'], { pads: [1, 1, 1, 1] })] : [];
  return buildModel({
    opset,
    inputs: { x: [1, 3, 6, 6] },
    outputs: ['y'],
    initializers: {
      wa: f32([8, 3, 3, 3]),
      ba: f32([8]),
      ...(b.length > 0 ? { wb: f32([8, 3, 3, 3]) } : {}),
      wz: f32([4, channels, 1, 1]),
      bz: f32([4]),
      ...initializers,
    },
    nodes: [
      node('Conv', ['x', 'wa', 'ba'], ['a'], { pads: [1, 1, 1, 1] }),
      ...b,
      ...s,
      ...nodes,
      node('Conv', ['z', 'wz', 'bz'], ['y']),
    ],
  });
}

const x: Feeds = {
  x: {
    type: 'float32',
    dims: [1, 3, 6, 6],
    data: Float32Array.from({ length: 108 }, (_, i) => Math.sin(i * 1.7) + 0.3 * Math.cos(i * 0.37)),
  },
};

describe('operators in int8', () => {
  for (const [name, example] of Object.entries(cases)) {
    const type = name.split(' ')[0]!;
    it(name, async () => {
      const model = build(example);
      const perTensor = (example.opset ?? 17) < 13;
      const plan = planFor(model, perTensor ? { perChannel: false } : {});
      const planned = plan.regions.find((region) => region.op === type || region.clamps.includes('n_z'));
      expect(planned, 'it stands in an int8 region').toBeDefined();
      if (perTensor) return;
      const { model: int8, activations } = await quantize(model, x, plan);
      const [real, simulated, original] = [
        await run(int8, x),
        await run(int8, x, { simulate: true }),
        await run(model, x),
      ];
      if (example.kernel)
        expect(
          real.types.some((t) => example.kernel!.includes(t)),
          real.types.join(),
        ).toBe(true);
      if (!example.island) for (const gone of example.gone ?? [type]) expect(real.types, gone).not.toContain(gone);
      // Each integer kernel may round its result to the neighbouring code; the last convolution sums 8 or 16 such codes.
      expect(steps(simulated.outputs['y']!, real.outputs['y']!, activations.get('y')!.scale)).toBeLessThanOrEqual(2.01);
      expect(sqnr(original.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(25);
    });
  }

  it('covers every operator qdq knows', () => {
    expect(knownTypes.filter((type) => !Object.keys(cases).some((name) => name.split(' ')[0] === type))).toEqual([]);
  });

  it('pads the codes themselves, also across a channel axis', async () => {
    const wide = {
      nodes: [zNode('Pad', ['a', 'pads'])],
      initializers: { pads: i64([0, 2, 0, 1, 0, 2, 1, 0]) },
      channels: 12,
    };
    const model = build(wide);
    const plan = planFor(model);
    expect(plan.regions.find(({ op }) => op === 'Pad')).toMatchObject({ onCodes: true });
    const { types } = await run((await quantize(model, x, plan)).model, x);
    // One pair on the input and output of the model; 16-bit codes cannot be padded.
    expect(types.filter((type) => /^(De)?[Qq]uantizeLinear$/.test(type))).toHaveLength(2);
    const wider = planFor(model, { activationType: 'uint16' });
    expect(wider.regions.find(({ op }) => op === 'Pad')).not.toHaveProperty('onCodes');
  });

  it('leaves a hard activation behind a Gemm in float: there is no kernel, and the Gemm can write float', () => {
    const { nodes, initializers } = cases['Gemm']!;
    const [flatten, gemm, reshape] = nodes as [NodeProto, NodeProto, NodeProto];
    const between = [flatten, { ...gemm, output: ['h'] }, node('HardSwish', ['h'], ['g']), reshape];
    const plan = planFor(build({ nodes: between, ...(initializers ? { initializers } : {}) }));
    const reasons = plan.float.map(({ op, reason }) => `${op}: ${reason}`);
    expect(reasons[0]).toMatch(/^HardSwish: onnxruntime has no int8 HardSwish kernel, and 'n_g' can write float$/);
  });

  it('has a reason for what it cannot do', () => {
    const model = build({ nodes: [zNode('Tanh', ['a'])] });
    const plan = planFor(model, {}, anyCpu);
    expect(plan.float).toEqual([{ node: 'n_z', op: 'Tanh', reason: 'qdq has no int8 form of Tanh' }]);
  });
});
