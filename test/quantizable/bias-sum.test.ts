/** A constant that is added to a product: the sum is rounded to codes once, behind the addition. */
import { expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { buildModel, f32, node, type ModelSpec } from '../support/build.ts';
import { feed } from '../quantized/forms.ts';
import { planFor, quantize, run, sqnr } from '../quantized/support.ts';

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
