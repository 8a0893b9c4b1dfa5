/** Converting: the int8 model computes what the fake-quantized one computes, and onnxruntime runs it in integers. */
import { describe, expect, it } from 'vitest';
import { executedModel } from '../../src/compare/executed.ts';
import { elementTypes, isLowBit } from '../../src/graph/element-types.ts';
import type { Node } from '../../src/graph/node.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { findFakeQuants } from '../../src/qat/fake-quant.ts';
import { lowerFakeQuant } from '../../src/qat/lower.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { build, cases, x } from '../quantized/operator-cases.ts';
import { run, steps } from '../quantized/support.ts';
import { eight, fakeQuantized, four, images, residual } from './support.ts';

const feeds = { x: images(16) };

describe('the converted model', () => {
  it.each([
    ['W8A8', eight, {}],
    ['W4A4', four, {}],
    ['W4A8 per tensor', { ...four, activations: 8 }, { perChannel: false }],
    ['W5A6', { weights: 5, activations: 6, firstLast: 7 }, {}],
  ])('%s: within 1 step of every quantized tensor, in integer kernels', async (_, widths, scheme) => {
    const prepared = await fakeQuantized(residual(), feeds, widths, scheme);
    const { model, weights, biases } = lowerFakeQuant(prepared);
    checkModel(model);
    expect({ weights, biases }).toEqual({ weights: 4, biases: 4 });
    const simulated = await run(prepared, feeds, { simulate: true });
    const int8 = await run(model, feeds, { exactInt8: true });
    expect(int8.types.filter((type) => type === 'QLinearConv')).toHaveLength(3);
    expect(int8.types).not.toContain('Conv');
    // A step of the pooled features, through weights of at most half a unit: a handful of them may differ by one.
    const pool = findFakeQuants(prepared).find(({ input }) => /pool|flat/.test(input.name))!;
    const step = pool.scale.constant!.floats()[0]!;
    expect(steps(simulated.outputs['y']!, int8.outputs['y']!, step)).toBeLessThan(4);
  });

  it.each([
    [12, 16],
    [9, 11],
    [16, 16],
  ])('W%iA%i: equal to the simulation, in float between 16-bit codes', async (weights, activations) => {
    const widths = { weights, activations, firstLast: Math.min(weights, activations) };
    const prepared = await fakeQuantized(residual(), feeds, widths, { activationType: 'uint16', weightType: 'int16' });
    prepared.opsets.set('', 21);
    const { model } = lowerFakeQuant(prepared);
    checkModel(model);
    const [a, b] = [await run(prepared, feeds, { simulate: true }), await run(model, feeds)];
    const pool = findFakeQuants(prepared).find(({ input }) => /pool|flat/.test(input.name))!;
    const step = pool.scale.constant!.floats()[0]!;
    // The sums are float32 on both sides: a few of the pooled features fall on the neighbouring code.
    expect(steps(a.outputs['y']!, b.outputs['y']!, step)).toBeLessThan(4);
  });

  it('gives every quantized tensor of a layer the codes of the simulation, or the ones beside', async () => {
    const prepared = await fakeQuantized(residual(), feeds, four);
    const name = findFakeQuants(prepared)
      .find(({ input }) => input.name === 'r2')!
      .dequantize[0]!.output()!.name;
    const scale = findFakeQuants(prepared)
      .find(({ input }) => input.name === 'r2')!
      .scale.constant!.floats()[0]!;
    const { model } = lowerFakeQuant(prepared);
    for (const each of [prepared, model]) each.graph.addOutput(each.graph.values.get(name)!);
    const [a, b] = [await run(prepared, feeds, { simulate: true }), await run(model, feeds, { exactInt8: true })];
    expect(steps(a.outputs[name]!, b.outputs[name]!, scale)).toBeLessThanOrEqual(1.001);
  });

  it('has no Relu where the quantizer limits as much, and keeps it where it does not', async () => {
    const relus = (model: Awaited<ReturnType<typeof fakeQuantized>>): number =>
      [...model.allNodes()].filter((node) => node.is('Relu')).length;
    const unsigned = await fakeQuantized(residual(), feeds);
    expect([relus(unsigned), lowerFakeQuant(unsigned).absorbed, relus(lowerFakeQuant(unsigned).model)]).toEqual([
      3, 3, 0,
    ]);
    const signed = await fakeQuantized(residual(), feeds, eight, { activationType: 'int8', activationSymmetric: true });
    expect([lowerFakeQuant(signed).absorbed, relus(lowerFakeQuant(signed).model)]).toEqual([0, 3]);
  });

  it('enlarges the scale of a weight whose bias would not fit int32', async () => {
    const prepared = await fakeQuantized(residual(), feeds);
    const bias = prepared.graph.values.get('w2_b')!;
    bias.initializer = Tensor.of('w2_b', 'float32', [8], Float32Array.of(1, 1e6, 1, 1, 1, 1, 1, 1));
    const fake = findFakeQuants(prepared).find(({ input }) => input.name === 'w2')!;
    const scales = Float32Array.from(fake.scale.constant!.floats());
    scales[1] = 1e-6;
    fake.scale.initializer = Tensor.of(fake.scale.name, 'float32', [8], scales);
    const { model, repaired } = lowerFakeQuant(prepared);
    expect(repaired).toEqual([{ weight: 'w2', channels: 1 }]);
    const { outputs } = await run(model, feeds);
    for (const value of outputs['y']!.data as Float32Array) expect(value).not.toBeNaN();
  });

  it('a channel whose codes are all 0 keeps its bias, whatever scale it came with', async () => {
    const prepared = await fakeQuantized(residual(), feeds);
    const fake = findFakeQuants(prepared).find(({ input }) => input.name === 'w2')!;
    const values = fake.input.constant!.floats();
    // Not quite 0, but rounded to it.
    fake.input.initializer = Tensor.of('w2', 'float32', [8, 8, 3, 3], values.fill(0.3, 72, 144));
    fake.scale.initializer = Tensor.of(
      fake.scale.name,
      'float32',
      [8],
      Float32Array.from(fake.scale.constant!.floats()).fill(1, 1, 2),
    );
    prepared.graph.values.get('w2_b')!.initializer = Tensor.of('w2_b', 'float32', [8], new Float32Array(8).fill(0.004));
    const input = findFakeQuants(prepared)
      .find(({ input: { name } }) => name === 'r1')!
      .scale.constant!.floats()[0]!;
    const { model, repaired } = lowerFakeQuant(prepared);
    expect(repaired).toEqual([]);
    const bias = [...model.allNodes()].find((node) => node.output()!.name.startsWith('w2_b'))!;
    const weight = [...model.allNodes()].find((node) => node.output()!.name.startsWith('w2_Deq'))!;
    expect([...weight.constant(0)!.ints()].slice(72, 144).every((code) => code === 0)).toBe(true);
    expect(bias.constant(0)!.ints()[1]! * bias.constant(1)!.floats()[1]!).toBeCloseTo(0.004, 7);
    expect(bias.constant(1)!.floats()[1]).toBe(Math.fround(input * weight.constant(1)!.floats()[1]!));
  });

  it.each([
    ...['Add', 'Mul', 'Concat', 'Conv', 'MaxPool', 'AveragePool', 'Sigmoid', 'Reshape', 'Transpose'],
    'MatMul of two activations',
  ])('what was left float runs in float: %s', async (example) => {
    const name = 'n_z';
    const prepared = await fakeQuantized(build(cases[example]!), x, eight, {}, [name]);
    const { model } = lowerFakeQuant(prepared);
    const executed = await executedModel(model, model, 'the model');
    const types = elementTypes(executed);
    const low = (node: Node): boolean => [...node.inputs, ...node.outputs].some((v) => v && isLowBit(types.get(v)));
    const int8 = [...executed.allNodes()].filter(low).map((node) => node.name.replace(/(_token_\d+)+$/, ''));
    expect(int8.length).toBeGreaterThan(2);
    expect(int8).not.toContain(name);
  });

  it('a product that only a float Add reads keeps its integer kernel', async () => {
    const nodes = [
      node('MatMul', ['x', 'w1'], ['a']),
      node('MatMul', ['a', 'w2'], ['b']),
      node('Add', ['b', 'bias'], ['y']),
    ];
    const initializers = { w1: f32([8, 8]), w2: f32([8, 8]), bias: f32([8]) };
    const model = buildModel({ inputs: { x: ['n', 3, 8, 8] }, outputs: ['y'], initializers, nodes });
    const { types } = await run(lowerFakeQuant(await fakeQuantized(model, feeds)).model, feeds);
    expect(types).toContain('MatMulIntegerToFloat');
    expect(types).not.toContain('Gemm');
  });

  it('leaves the given model alone', async () => {
    const prepared = await fakeQuantized(residual(), feeds);
    lowerFakeQuant(prepared);
    checkModel(prepared);
    expect(findFakeQuants(prepared).filter(({ input }) => input.isConstant)).toHaveLength(4);
  });
});
