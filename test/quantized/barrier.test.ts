import { expect, it } from 'vitest';
import { buildModel, f32, node } from '../support/build.ts';
import { planFor, quantize, run, sqnr, type Feeds } from './support.ts';

const x: Feeds = {
  x: { type: 'float32', dims: [1, 4, 6, 6], data: Float32Array.from({ length: 144 }, (_, i) => Math.sin(i * 1.7)) },
};

/** int8 Conv → Conv left float (→ Relu) → int8 Conv */
function network(relu: boolean) {
  const middle = relu
    ? [node('Conv', ['a', 'w2'], ['b'], {}, { name: 'kept' }), node('Relu', ['b'], ['c'], {}, { name: 'relu' })]
    : [node('Conv', ['a', 'w2'], ['c'], {}, { name: 'kept' })];
  return buildModel({
    inputs: { x: [1, 4, 6, 6] },
    outputs: ['y'],
    initializers: { w1: f32([4, 4, 3, 3]), w2: f32([4, 4, 1, 1]), w3: f32([4, 4, 1, 1]) },
    nodes: [node('Conv', ['x', 'w1'], ['a']), ...middle, node('Conv', ['c', 'w3'], ['y'])],
  });
}

it.each([false, true])('a Conv left float between quantizers stays float in onnxruntime (Relu: %s)', async (relu) => {
  const model = network(relu);
  const plan = planFor(model, {}, undefined, undefined, ['kept', ...(relu ? ['relu'] : [])]);
  const { model: int8 } = await quantize(model, x, plan);
  const { types } = await run(int8, x);
  expect(types.filter((type) => type === 'QLinearConv')).toHaveLength(2);
  expect(types.filter((type) => /^(Fused)?Conv$/.test(type))).toHaveLength(1);
});

it('puts nothing where nothing was left float', async () => {
  const model = network(false);
  const { model: int8 } = await quantize(model, x, planFor(model));
  expect([...int8.graph.nodes()].map((n) => n.opType)).not.toContain('Sum');
});

it.each(['AveragePool', 'Sigmoid'])(
  'a %s left float between quantizers stays float, and is int8 where it is wanted',
  async (op) => {
    const attributes = op === 'AveragePool' ? { kernel_shape: [2, 2] } : {};
    const model = buildModel({
      inputs: { x: [1, 4, 6, 6] },
      outputs: ['y'],
      initializers: { w1: f32([4, 4, 3, 3]), w3: f32([4, 4, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w1'], ['a']),
        node(op, ['a'], ['c'], attributes, { name: 'kept' }),
        node('Conv', ['c', 'w3'], ['y']),
      ],
    });
    const typesOf = async (exclude: string[]): Promise<string[]> =>
      (await run((await quantize(model, x, planFor(model, {}, undefined, undefined, exclude))).model, x)).types;
    expect(await typesOf([])).toContain(`QLinear${op}`);
    const float = await typesOf(['kept']);
    expect(float).toContain(op);
    expect(float).not.toContain(`QLinear${op}`);
  },
);

it('a Conv left float stays float although only a MaxPool stands between it and the quantizer', async () => {
  const model = buildModel({
    inputs: { x: [1, 4, 6, 6] },
    outputs: ['y'],
    initializers: { w1: f32([4, 4, 3, 3]), w2: f32([4, 4, 1, 1]), w3: f32([4, 4, 1, 1]) },
    nodes: [
      node('Conv', ['x', 'w1'], ['a']),
      node('Conv', ['a', 'w2'], ['b'], {}, { name: 'kept' }),
      node('MaxPool', ['b'], ['c'], { kernel_shape: [2, 2] }),
      node('Conv', ['c', 'w3'], ['y']),
    ],
  });
  const { model: int8 } = await quantize(model, x, planFor(model, {}, undefined, undefined, ['kept']));
  const { types } = await run(int8, x);
  expect(types.filter((type) => type === 'QLinearConv')).toHaveLength(2);
  expect(types.filter((type) => /^(Fused)?Conv$/.test(type))).toHaveLength(1);
});

it('a product that only a float Add reads multiplies codes and writes float: no Gemm is made of the two, and nothing is rounded between', async () => {
  const model = buildModel({
    inputs: { x: [1, 4, 6, 6] },
    outputs: ['y'],
    initializers: { w1: f32([6, 6]), w2: f32([6, 8]), bias: f32([8]) },
    nodes: [node('MatMul', ['x', 'w1'], ['a']), node('MatMul', ['a', 'w2'], ['b']), node('Add', ['b', 'bias'], ['y'])],
  });
  const plan = planFor(model);
  expect(plan.regions.map(({ tensor, quantizedOutput }) => [tensor, quantizedOutput])).toEqual([
    ['a', true],
    ['b', false],
  ]);
  const { model: int8 } = await quantize(model, x, plan);
  const { types, outputs } = await run(int8, x);
  expect(types).toContain('MatMulIntegerToFloat');
  expect(types.filter((type) => /Gemm/.test(type))).toEqual([]);
  const simulated = await run(int8, x, { simulate: true });
  expect(sqnr(simulated.outputs['y']!, outputs['y']!)).toBeGreaterThan(80);
});
