/** A first convolution that begins a float stream stays float; one that an int8 node reads does not. */
import { expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { buildModel, f32, i64, node, type ModelSpec } from '../support/build.ts';

const patches = node('Conv', ['x', 'w'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'patches' });
const base: ModelSpec = {
  opset: 17,
  inputs: { x: [1, 3, 8, 8] },
  initializers: {
    w: f32([16, 3, 2, 2]),
    scale: f32([16]),
    bias: f32([16]),
    positions: f32([1, 16, 16]),
    m: f32([16, 16]),
    k: f32([16, 16, 1, 1]),
    rows: i64([1, 16, 16]),
  },
  outputs: ['y'],
  nodes: [
    patches,
    node('Reshape', ['c', 'rows'], ['r']),
    node('Transpose', ['r'], ['t'], { perm: [0, 2, 1] }),
    node('Add', ['t', 'positions'], ['s']),
    node('LayerNormalization', ['s', 'scale', 'bias'], ['n']),
    node('MatMul', ['n', 'm'], ['y'], {}, { name: 'product' }),
  ],
};
const plan = (spec: ModelSpec, include: string[] = []) => {
  const { scheme } = ortCpuX64;
  const { regions, float } = planQuantization(buildModel(spec), { target: ortCpuX64, scheme, include, exclude: [] });
  return { int8: regions.map((region) => region.node), reason: float.find((each) => each.node === 'patches')?.reason };
};

it('stays float before a normalization, through what only follows, and says why', () => {
  expect(plan(base)).toEqual({ int8: ['product'], reason: expect.stringContaining('a float stream begins') });
});

it('is int8 where the user names it, or where nothing else would be', () => {
  expect(plan(base, ['Conv', 'MatMul']).int8).toContain('patches');
  expect(plan({ ...base, nodes: base.nodes.slice(0, -1), outputs: ['n'] }).int8).toEqual(['patches']);
});

it('is int8 where another convolution reads it, too', () => {
  const both = [...base.nodes, node('Conv', ['c', 'k'], ['z'], {}, { name: 'second' })];
  expect(plan({ ...base, nodes: both, outputs: ['y', 'z'] }).int8).toContain('patches');
});
