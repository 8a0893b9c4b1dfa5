/** float16 and bfloat16: what is converted loads and runs, what cannot be held stays float32 for a reason. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import type { Model } from '../../../src/graph/model.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import type { TensorValue } from '../../../src/onnx/data-types.ts';
import { float32ToFloat16, fromFloat32, float16ToFloat32, toFloat32 } from '../../../src/onnx/narrow-types.ts';
import { observedTensors } from '../../../src/quantizable/plan.ts';
import { configureFormat } from '../../../src/quantized/formats/index.ts';
import { body, buildModel, constant, f32, float, i64, node, scalar, type ModelSpec } from '../../support/build.ts';
import { attention } from '../../support/attention.ts';
import { masks } from '../../support/masks.ts';
import { feed, gaussian, make } from '../make-quantized.ts';
import { rangesFor, run, sqnr, type Feeds } from '../support.ts';

async function convert(model: Model, feeds: Feeds, keepIo = true) {
  const form = configureFormat('fp16', ortCpuX64.scheme, { keepIo });
  const request = { target: ortCpuX64, scheme: ortCpuX64.scheme };
  const wanted = form.plan(model, request);
  const names = observedTensors(wanted).filter((name) => model.graph.values.has(name));
  const ranges = await rangesFor(model, wanted, feeds, names);
  const plan = form.refine(model, request, wanted, ranges);
  const { model: half } = form.emit(model, plan, ranges);
  checkModel(model);
  checkModel(half);
  return { half, float: plan.float.map(({ op, reason }) => `${op}: ${reason}`) };
}

const types = (model: Model): (string | undefined)[] =>
  [...model.graph.inputs, ...model.graph.outputs].map(({ type }) => type);

const net: ModelSpec = {
  inputs: { x: [1, 4, 6, 6] },
  outputs: { y: [1, 8, 8, 8] },
  initializers: {
    w: f32([8, 4, 3, 3], gaussian(288)),
    b: f32([8], gaussian(8, 2)),
    scales: f32([4], [1, 1, 2, 2]),
  },
  nodes: [
    node('Conv', ['x', 'w', 'b'], ['a']),
    node('Relu', ['a'], ['r']),
    node('Resize', ['r', '', 'scales'], ['y'], { mode: 'nearest' }),
  ],
};
const feeds: Feeds = { x: feed([1, 4, 6, 6]) };

describe('float16', () => {
  it('keeps masks before a Softmax in float16, far below every score', async () => {
    for (const name of ['Add of the lowest float', 'Where with minus infinity', 'a row without anything']) {
      const model = attention({ tokens: 8, ...masks[name] });
      const x = { type: 'float32', dims: [1, 8, 32], data: gaussian(256, 3) } as const;
      const form = configureFormat('fp16', ortCpuX64.scheme, {});
      const plan = form.plan(model, { target: ortCpuX64, scheme: ortCpuX64.scheme });
      expect(plan.float).toEqual([]);
      const { model: half } = form.emit(model, plan, new Map());
      const { outputs } = await run(half, { x });
      expect(sqnr((await run(model, { x })).outputs['y']!, outputs['y']!)).toBeGreaterThan(50);
    }
  });

  it('halves the constants and keeps float32 inputs and outputs, and their names', async () => {
    const model = buildModel(net);
    const { half, float: kept } = await convert(model, feeds);
    expect(kept).toEqual([]);
    expect(types(half)).toEqual(['float32', 'float32']);
    expect(half.graph.outputs[0]!.name).toBe('y');
    const constants = [...half.graph.values.values()].filter((value) => value.constant);
    // The scales of Resize are float32 by definition.
    expect(constants.map(({ constant }) => constant!.type.name).toSorted()).toEqual(['float16', 'float16', 'float32']);
    const [expected, real] = [await run(model, feeds), await run(half, feeds)];
    // 11 bits of mantissa: 2^-11 / √12 of each number, two roundings per product: about 66 dB.
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(60);
  });

  it('makes inputs and outputs float16 too when asked', async () => {
    const model = buildModel(net);
    const { half } = await convert(model, feeds, false);
    expect(types(half)).toEqual(['float16', 'float16']);
    const x = feeds['x']!;
    const input: TensorValue = {
      type: 'float16',
      dims: x.dims,
      data: fromFloat32(x.data as Float32Array, float32ToFloat16),
    };
    const { outputs } = await run(half, { x: input });
    const y = outputs['y']!;
    const back = { ...y, type: 'float32', data: toFloat32(y.data as Uint16Array, float16ToFloat32) } as const;
    expect(sqnr((await run(model, feeds)).outputs['y']!, back)).toBeGreaterThan(58);
  });

  it('keeps in float32 what the samples drive beyond 65504, and only that', async () => {
    const model = buildModel({
      inputs: { x: [1, 8] },
      outputs: { y: [1, 8] },
      initializers: { up: scalar('float32', 60000), down: scalar('float32', 1 / 60000), one: scalar('float32', 1) },
      nodes: [
        node('Add', ['x', 'one'], ['a']),
        node('Mul', ['a', 'up'], ['big']),
        node('Mul', ['big', 'down'], ['z']),
        node('Mul', ['z', 'one'], ['y']),
      ],
    });
    const { half, float: kept } = await convert(model, { x: feed([1, 8]) });
    expect(kept).toEqual([
      expect.stringMatching(/^Mul: tensor 'big' reaches .* beyond float16$/),
      expect.stringMatching(/^Mul: tensor 'big'/),
    ]);
    const input = { x: feed([1, 8]) };
    const [expected, real] = [await run(model, input), await run(half, input)];
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(55);
  });

  it('keeps constants that float16 cannot hold: too large, or guards that would become 0', async () => {
    const model = buildModel({
      inputs: { x: [1, 4] },
      outputs: { y: [1, 4] },
      initializers: { mask: f32([1, 4], [0, -1e9, 0, 0]), guard: scalar('float32', 1e-12) },
      nodes: [
        node('Add', ['x', 'mask'], ['m']),
        node('Sigmoid', ['m'], ['s']),
        node('Add', ['s', 'guard'], ['g']),
        node('Log', ['g'], ['y']),
      ],
    });
    const input = { x: feed([1, 4]) };
    const { half, float: kept } = await convert(model, input);
    expect(kept[0]).toMatch(/^Add: its constant 'mask' holds 1\.00e\+9, beyond float16/);
    expect(kept.at(-1)).toMatch(/^Add: its constant 'guard' \(1\.00e-12\) is 0 in float16/);
    const y = (await run(half, input)).outputs['y']!.data as Float32Array;
    expect(y[0]).toBeCloseTo((await run(model, input)).outputs['y']!.data[0] as number, 2);
  });

  it('converts bodies and what they capture', async () => {
    const model = buildModel({
      inputs: { c: { type: 'bool', dims: [] }, x: [1, 4] },
      outputs: { y: [1, 4] },
      initializers: { w: f32([4, 4], gaussian(16)), k: scalar('float32', 3) },
      nodes: [
        node('MatMul', ['x', 'w'], ['a']),
        node('If', ['c'], ['y'], {
          then_branch: body({ nodes: [node('Mul', ['a', 'k'], ['t'])], outputs: { t: [1, 4] } }),
          else_branch: body({ nodes: [node('Relu', ['x'], ['e'])], outputs: { e: [1, 4] } }),
        }),
      ],
    });
    for (const branch of [1, 0]) {
      const input: Feeds = { c: { type: 'bool', dims: [], data: Uint8Array.of(branch) }, x: feed([1, 4]) };
      const { half } = await convert(model, input);
      const [expected, real] = [await run(model, input), await run(half, input)];
      expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(55);
    }
  });

  it('takes a model with blocks of 4 bits: scales in float16', async () => {
    const model = buildModel({
      inputs: { x: [2, 64] },
      outputs: { y: [2, 32] },
      initializers: { w: f32([64, 32], gaussian(2048)), e: f32([32], gaussian(32)) },
      nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'e'], ['y'])],
    });
    const { model: blocks } = await make('weight-only', model);
    const input = { x: feed([2, 64]) };
    const { half, float: kept } = await convert(blocks, input);
    expect(kept).toEqual([]);
    const [expected, real] = [await run(blocks, input), await run(half, input)];
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(40);
  });

  it('what goes through sequences and optionals stays float32, with Casts around', async () => {
    const model = buildModel({
      opset: 18,
      inputs: { x: [2, 8] },
      initializers: { w: f32([8, 8], gaussian(64)), k: f32([4, 4], gaussian(16, 2)), four: scalar('int64', 4) },
      nodes: [
        node('MatMul', ['x', 'w'], ['a']),
        node('SplitToSequence', ['a', 'four'], ['s'], { axis: 1 }),
        node('SequenceMap', ['s'], ['m'], {
          body: body({ inputs: { e: [2, 4] }, nodes: [node('MatMul', ['e', 'k'], ['f'])], outputs: { f: [2, 4] } }),
        }),
        node('ConcatFromSequence', ['m'], ['c'], { axis: 1 }),
        node('MatMul', ['c', 'w'], ['y']),
      ],
      outputs: { y: [2, 8] },
    });
    const rows = { x: feed([2, 8]) };
    const { half, float: kept } = await convert(model, rows);
    expect(kept).toEqual([
      'SplitToSequence: what goes through sequences and optionals stays float32',
      "MatMul: what SequenceMap 'n_m' works on stays float32",
      "SequenceMap: what SequenceMap 'n_m' works on stays float32",
      'ConcatFromSequence: what goes through sequences and optionals stays float32',
    ]);
    const [expected, real] = [await run(model, rows), await run(half, rows)];
    expect(sqnr(expected.outputs.y!, real.outputs.y!)).toBeGreaterThan(55);
  });

  it('casts what reads float by definition', async () => {
    const model = buildModel({
      inputs: { x: [1, 4] },
      outputs: { y: [1, 4] },
      initializers: { s: scalar('float32', 0.1) },
      nodes: [
        node('Mul', ['x', 's'], ['a']),
        node('RandomNormalLike', ['a'], ['n'], { seed: float(1) }),
        node('Mul', ['n', 's'], ['m']),
        node('Sub', ['m', 'm'], ['z']),
        node('Add', ['a', 'z'], ['y']),
      ],
    });
    const input = { x: feed([1, 4]) };
    const { half, float: kept } = await convert(model, input);
    expect(kept).toEqual(['RandomNormalLike: RandomNormalLike is not defined for float16']);
    expect(sqnr((await run(model, input)).outputs['y']!, (await run(half, input)).outputs['y']!)).toBeGreaterThan(55);
  });
});

describe('what float16 is not for', () => {
  it('leaves quantized operators and their scales as they are', async () => {
    const u8 = (value: number) => scalar('uint8', value);
    const model = buildModel({
      inputs: { x: [1, 2, 4, 4] },
      outputs: { y: [1, 3, 4, 4] },
      initializers: {
        ...{ xs: scalar('float32', 0.02), xz: u8(128), ws: scalar('float32', 0.01), wz: scalar('int8', 0) },
        ...{ hs: scalar('float32', 0.03), hz: u8(100), k: f32([3, 1, 1], gaussian(3)) },
        w: constant('int8', [3, 2, 1, 1], [10, -20, 30, 40, -50, 60]),
      },
      nodes: [
        node('QuantizeLinear', ['x', 'xs', 'xz'], ['xq']),
        node('QLinearConv', ['xq', 'xs', 'xz', 'w', 'ws', 'wz', 'hs', 'hz'], ['hq']),
        node('DequantizeLinear', ['hq', 'hs', 'hz'], ['h']),
        node('Mul', ['h', 'k'], ['y']),
      ],
    });
    const input = { x: feed([1, 2, 4, 4]) };
    const { half, float: kept } = await convert(model, input);
    expect(kept).toContain('QLinearConv: QLinearConv is not defined for float16');
    for (const each of ['xs', 'ws', 'hs']) expect(half.graph.values.get(each)!.type).toBe('float32');
    expect(sqnr((await run(model, input)).outputs['y']!, (await run(half, input)).outputs['y']!)).toBeGreaterThan(50);
  });

  it.each([
    ['ScatterND', ['x', 'i2', 'u'], { reduction: 'add' }],
    ['ScatterElements', ['x', 'i1', 'u'], { reduction: 'max', axis: 1 }],
  ])('keeps %s with a reduction in float32, and converts it without one', async (op, inputs, attributes) => {
    const build = (more: Record<string, string | number>) =>
      buildModel({
        opset: 18,
        inputs: { x: [2, 8] },
        outputs: { y: [2, 8] },
        initializers: {
          i1: constant('int64', [2, 8], [0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0]),
          i2: constant('int64', [2, 1], [0, 1]),
          u: f32([2, 8], gaussian(16)),
        },
        nodes: [node(op, inputs, ['s'], more), node('Neg', ['s'], ['y'])],
      });
    const input = { x: feed([2, 8]) };
    const { half, float: kept } = await convert(build(attributes), input);
    expect(kept).toEqual([`${op}: onnxruntime has no float16 kernel of ${op} with a reduction`]);
    expect(
      sqnr((await run(build(attributes), input)).outputs['y']!, (await run(half, input)).outputs['y']!),
    ).toBeGreaterThan(55);
    const { reduction: _, ...plain } = attributes as Record<string, string | number>;
    expect((await convert(build(plain), input)).float).toEqual([]);
  });

  it.each([
    ['ReduceMean', 64, 1, false],
    ['ReduceMean', 64, 2000, true],
    ['ReduceSum', 64, 2000, true],
    ['ReduceL2', 64, 100, true],
    ['ReduceL2', 64, 1, false],
  ] as const)(
    'keeps sums in float32 that do not fit: %s of %d elements around %d: %j',
    async (op, count, level, stays) => {
      const model = buildModel({
        opset: 18,
        inputs: { x: [2, count] },
        outputs: { y: [2, 1] },
        initializers: { axes: i64([-1]), level: scalar('float32', level) },
        nodes: [
          node('Relu', ['x'], ['r']),
          node('Add', ['r', 'level'], ['l']),
          node(op, ['l', 'axes'], ['s']),
          node('Neg', ['s'], ['y']),
        ],
      });
      const { float: kept } = await convert(model, { x: feed([2, count]) });
      const own = kept.filter((each) => each.startsWith(op));
      expect(own).toEqual(stays ? [expect.stringMatching(/beyond float16$/)] : []);
    },
  );
});

describe('bfloat16', () => {
  it('stores large constants, which onnxruntime unfolds at load', async () => {
    const model = buildModel({
      ...net,
      outputs: { y: [1, 8, 8, 8] },
      initializers: { ...net.initializers, shape: i64([1]) },
    });
    const { model: stored } = await make('bf16', model);
    const w = [...stored.graph.values.values()].find(({ name }) => name === 'w_bfloat16');
    expect(w?.constant?.type.name).toBe('bfloat16');
    const [expected, real] = [await run(model, feeds), await run(stored, feeds)];
    expect(real.types).not.toContain('Cast');
    // 8 bits of mantissa in the weights.
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(45);
  });

  it('refuses a model without large constants', async () => {
    const model = buildModel({ inputs: { x: [1] }, outputs: ['y'], nodes: [node('Relu', ['x'], ['y'])] });
    await expect(make('bf16', model)).rejects.toThrow(expect.objectContaining({ code: 'PLAN_NOTHING' }));
  });
});
