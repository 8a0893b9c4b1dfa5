/** Models in several types and formats: what --override writes, that it runs on the kernels it names, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { modelToProto } from '../../../src/graph/to-proto.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import type { Model } from '../../../src/graph/model.ts';
import { parseOverride } from '../../../src/quantizable/overrides.ts';
import { observedTensors, plannedTensors, type Plan } from '../../../src/quantizable/plan.ts';
import type { FormatFlags } from '../../../src/quantized/format.ts';
import { configureWithOverrides } from '../../../src/quantized/formats/index.ts';
import { buildModel, constant, node } from '../../support/build.ts';
import { feed, gaussian } from '../make-quantized.ts';
import { anyCpu, rangesFor, run, sqnr } from '../support.ts';

const weight = (dims: number[], seed: number) =>
  constant(
    'float32',
    dims,
    gaussian(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ).map((value) => value / 8),
  );
const x = { x: feed([1, 8, 8, 8]) };

/** conv1 → relu → conv2 → pool → conv3 → average → flatten → gemm */
function network(): Model {
  const pads = { pads: [1, 1, 1, 1] };
  return buildModel({
    opset: 21,
    inputs: { x: [1, 8, 8, 8] },
    initializers: {
      w1: weight([8, 8, 3, 3], 1),
      w2: weight([8, 8, 3, 3], 2),
      w3: weight([32, 8, 3, 3], 3),
      w4: weight([32, 16], 4),
    },
    nodes: [
      node('Conv', ['x', 'w1'], ['a'], pads, { name: 'conv1' }),
      node('Relu', ['a'], ['b'], {}, { name: 'relu' }),
      node('Conv', ['b', 'w2'], ['c'], pads, { name: 'conv2' }),
      node('MaxPool', ['c'], ['d'], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'pool' }),
      node('Conv', ['d', 'w3'], ['e'], pads, { name: 'conv3' }),
      node('GlobalAveragePool', ['e'], ['f'], {}, { name: 'average' }),
      node('Flatten', ['f'], ['g'], {}, { name: 'flatten' }),
      node('MatMul', ['g', 'w4'], ['y'], {}, { name: 'head' }),
    ],
    outputs: { y: [1, 16] },
  });
}

function form(overrides: readonly string[], format = 'qdq', flags: FormatFlags = {}) {
  return configureWithOverrides(format, anyCpu, anyCpu.scheme, flags, overrides.map(parseOverride));
}

async function make(
  overrides: readonly string[],
  format = 'qdq',
  model = network(),
): Promise<{ model: Model; plan: Plan }> {
  const made = form(overrides, format);
  const request = { target: anyCpu, scheme: anyCpu.scheme };
  const wanted = made.plan(model, request);
  const ranges = observedTensors(wanted).length > 0 ? await rangesFor(model, wanted, x) : new Map();
  const plan = made.refine(model, request, wanted, ranges);
  const quantized = made.emit(model, plan, ranges);
  checkModel(model);
  checkModel(quantized.model);
  return { model: quantized.model, plan };
}

async function judged(overrides: readonly string[], format = 'qdq', model = network()) {
  const made = await make(overrides, format, model);
  const [expected, real] = [await run(model, x), await run(made.model, x)];
  const count = (type: string): number => real.types.filter((each) => each === type).length;
  return { ...made, count, types: real.types, sqnr: sqnr(expected.outputs['y']!, real.outputs['y']!) };
}

const codesOf = (model: Model, name: string) => model.graph.values.get(name)!.constant!.type.name;

describe('types of single nodes', () => {
  it('writes 16-bit activations for the nodes it names, with conversions at their borders', async () => {
    const plain = await judged([]);
    const made = await judged(['conv2: activation-type=u16']);
    expect(plain.count('QLinearConv')).toBe(3);
    expect(made.count('QLinearConv')).toBe(2);
    expect(made.count('Conv')).toBe(1);
    // Eight to sixteen bits before conv2, and back before the pool, which nobody asked to be wide.
    expect(codesOf(made.model, 'c_zero_point')).toBe('uint16');
    const types = [...made.model.allNodes()]
      .filter((each) => each.is('QuantizeLinear') && each.input(0)?.producer?.is('DequantizeLinear'))
      .map((each) => each.input(2)!.constant!.type.name);
    expect(types.toSorted()).toEqual(['uint16', 'uint8']);
    // The network is three 8-bit layers deep either way: 16 bits in one of them cannot lose more than rounding does.
    expect(made.sqnr).toBeGreaterThan(25);
    expect(made.sqnr).toBeGreaterThan(plain.sqnr - 3);
  });

  it('is exact to 16 bits when all of the activations have them', async () => {
    const wide = await judged(['/./: activation-type=u16', '/conv|head/: weight-type=s8']);
    expect(wide.count('QLinearConv')).toBe(0);
    // 8-bit weights alone: step = max / 127 with noise step² / 12, some 40 dB for gaussian weights, times four layers.
    expect(wide.sqnr).toBeGreaterThan(33);
  });

  it('reads one tensor in two types by two quantizers', async () => {
    const two = buildModel({
      opset: 21,
      inputs: { x: [1, 8, 8, 8] },
      initializers: { w1: weight([8, 8, 3, 3], 1), w2: weight([8, 8, 3, 3], 2) },
      nodes: [
        node('Conv', ['x', 'w1'], ['a'], {}, { name: 'narrow' }),
        node('Conv', ['x', 'w2'], ['b'], {}, { name: 'wide' }),
        node('Concat', ['a', 'b'], ['y'], { axis: 1 }, { name: 'join' }),
      ],
      outputs: { y: [1, 16, 6, 6] },
    });
    const made = await judged(['wide: activation-type=s16 symmetric=true'], 'qdq', two);
    const quantizers = [...made.model.graph.values.get('x')!.users.keys()].map((each) => each.input(2)!.constant!);
    expect(quantizers.map(({ type }) => type.name).toSorted()).toEqual(['int16', 'uint8']);
    expect(quantizers.find(({ type }) => type.name === 'int16')!.ints()).toEqual([0]);
    expect(made.sqnr).toBeGreaterThan(28);
  });

  it('gives single weights another type, granularity and observer', async () => {
    const made = await judged(['conv1: weight-type=u8 per-tensor=true', 'conv3: weight-type=s4, weight-observer=mse']);
    expect(codesOf(made.model, 'w1_quantized')).toBe('uint8');
    expect(made.model.graph.values.get('w1_quantized_scale')!.constant!.size).toBe(1);
    expect(codesOf(made.model, 'w2_quantized')).toBe('int8');
    expect(codesOf(made.model, 'w3_quantized')).toBe('int4');
    expect(made.count('QLinearConv')).toBe(2);
    // 4-bit weights in one layer: step = max / 7, about 16 dB for gaussian weights with sums that cancel.
    expect(made.sqnr).toBeGreaterThan(10);
  });

  it('quantizes a shared weight once for each type', async () => {
    const shared = buildModel({
      opset: 21,
      inputs: { x: [1, 8, 8, 8] },
      initializers: { w: weight([8, 8, 3, 3], 1) },
      nodes: [
        node('Conv', ['x', 'w'], ['a'], {}, { name: 'one' }),
        node('Conv', ['a', 'w'], ['y'], {}, { name: 'two' }),
      ],
      outputs: { y: [1, 8, 4, 4] },
    });
    const made = await judged(['two: weight-type=u8'], 'qdq', shared);
    const codes = [...made.model.graph.values.values()].flatMap(({ initializer }) =>
      initializer && initializer.dims.length === 4 ? [initializer.type.name] : [],
    );
    expect(codes.toSorted()).toEqual(['int8', 'uint8']);
    expect(made.sqnr).toBeGreaterThan(28);
  });

  it('keeps a Relu with settings of its own out of the region before it', async () => {
    const { plan } = await make(['relu: activation-type=u16']);
    expect(plan.regions.find(({ node: name }) => name === 'conv1')!.clamps).toEqual([]);
    expect(plan.regions.find(({ node: name }) => name === 'relu')!.override).toBe('relu: activation-type=u16');
  });

  it('lets the later of two win, key by key, and says both', async () => {
    const overrides = ['Conv: activation-type=u16 weight-type=u8', 'conv2: activation-type=u8'];
    const { model, plan } = await make(overrides);
    expect(codesOf(model, 'w2_quantized')).toBe('uint8');
    const region = plan.regions.find(({ node: name }) => name === 'conv2')!;
    expect(region.override).toBe(`${overrides[0]}' and '${overrides[1]}`);
    expect(plannedTensors(plan).find(({ name }) => name === 'c')!.as).toBeUndefined();
  });
});

describe('formats of single nodes', () => {
  it.each([
    ['dynamic', 'DynamicQuantizeMatMul', 25],
    // 4 bits in blocks of 32 of gaussian weights: about 20 dB.
    ['weight-only', 'MatMulNBits', 14],
  ])('%s beside QDQ', async (format, kernel, bound) => {
    const made = await judged([`head: format=${format}`]);
    expect(made.types).toContain(kernel);
    expect(made.count('QLinearConv')).toBe(3);
    expect(made.sqnr).toBeGreaterThan(bound);
  });

  it('weight-only with settings of its own', async () => {
    const made = await judged(['head: format=weight-only weight-bits=8 block-size=16 symmetric=true']);
    const block = [...made.model.allNodes()].find((each) => each.is('MatMulNBits') || each.opType === 'MatMulNBits')!;
    expect([block.int('bits'), block.int('block_size')]).toEqual([8, 16]);
    expect(made.sqnr).toBeGreaterThan(25);
  });

  it('fp16 beside QDQ, with casts between', async () => {
    const made = await judged(['conv2: format=fp16']);
    expect(made.count('QLinearConv')).toBe(2);
    expect(codesOf(made.model, 'w2_float16')).toBe('float16');
    expect([...made.model.allNodes()].filter((each) => each.is('Cast'))).toHaveLength(2);
    expect(made.sqnr).toBeGreaterThan(25);
  });

  it('QDQ beside dynamic', async () => {
    const made = await judged(['Conv: format=qdq'], 'dynamic');
    expect(made.count('QLinearConv')).toBe(3);
    expect(made.types).toContain('DynamicQuantizeMatMul');
    expect(made.sqnr).toBeGreaterThan(25);
  });

  it('float, with the override as its reason', async () => {
    const made = await judged(['conv2: format=float']);
    expect(made.plan.float.find(({ node: name }) => name === 'conv2')!.reason).toBe(
      "left float by --override 'conv2: format=float'",
    );
    expect(made.count('QLinearConv')).toBe(2);
    expect(made.count('Conv')).toBe(1);
  });

  it('is the same model as without, where overrides say what holds anyway', async () => {
    const [plain, made] = [await make([]), await make(['Conv: weight-type=s8', 'conv2: activation-type=u8'])];
    expect(modelToProto(made.model).graph).toEqual(modelToProto(plain.model).graph);
  });
});

describe('what is refused', () => {
  const plan =
    (overrides: readonly string[], format = 'qdq', flags: FormatFlags = {}) =>
    () =>
      form(overrides, format, flags).plan(network(), { target: anyCpu, scheme: anyCpu.scheme });

  it.each([
    [['conv2'], 'OVERRIDE_SYNTAX', undefined],
    [['conv2: u16'], 'OVERRIDE_SYNTAX', undefined],
    [['conv2: activation-typ=u16'], 'OVERRIDE_KEY', /activation-type/],
    [['conv2: activation-type=u32'], 'OVERRIDE_VALUE', undefined],
    [['conv2: weight-type=s8 weight-type=u8'], 'OVERRIDE_TWICE', undefined],
    [['conv2: format=float weight-type=u8'], 'OVERRIDE_FLOAT', undefined],
    [['conv22: weight-type=u8'], 'PLAN_NO_MATCH', /conv2/],
    [['/(/: weight-type=u8'], 'PLAN_BAD_PATTERN', undefined],
    [['conv2: activation-type=s8 weight-type=u8'], 'PLAN_TYPES', undefined],
    [['head: format=dynamic activation-type=u8'], 'FORMAT_FLAG', /qdq/],
    [['conv2: block-size=32'], 'FORMAT_FLAG', /weight-only/],
    [['head: format=weight-only weight-bits=3'], 'FORMAT_BITS', undefined],
    [['relu: format=dynamic'], 'OVERRIDE_IDLE', undefined],
    [['flatten: weight-type=u8'], 'OVERRIDE_IDLE', undefined],
  ])('%j: %s', (overrides, code, hint) => {
    expect(plan(overrides)).toThrow(
      expect.objectContaining({ code, ...(hint && { hint: expect.stringMatching(hint) }) }),
    );
  });

  it('formats that do not share a model, and 16 bits without a kernel', () => {
    expect(plan(['head: format=dynamic'], 'qoperator')).toThrow(expect.objectContaining({ code: 'OVERRIDE_MIX' }));
    expect(plan(['conv1: activation-type=u16'], 'qoperator')).toThrow(
      expect.objectContaining({ code: 'FORMAT_TYPES', message: expect.stringContaining("--override 'conv1") }),
    );
  });
});
