/** What no sample changes is computed in float: codes would cost accuracy there, and no sample could show it. */
import { expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { fixedValues } from '../../src/quantizable/kept-nodes.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { buildModel, f32, i64, node, type ModelSpec } from '../support/build.ts';

const spec: ModelSpec = {
  opset: 17,
  inputs: { x: ['N', 3, 8, 8] },
  initializers: { w: f32([4, 3, 1, 1]), k: f32([4, 3, 1, 1]), limits: i64([2]) },
  outputs: ['y', 'z', 'r'],
  nodes: [
    node('Shape', ['x'], ['dims']),
    node('ConstantOfShape', ['dims'], ['zeros']),
    node('Conv', ['zeros', 'k'], ['z'], {}, { name: 'of-constants' }),
    node('Conv', ['x', 'w'], ['y'], {}, { name: 'of-samples' }),
    node('RandomNormalLike', ['zeros'], ['noise']),
    node('Conv', ['noise', 'k'], ['r'], {}, { name: 'of-noise' }),
  ],
};

it('finds what follows from shapes and constants alone', () => {
  const names = [...fixedValues(buildModel(spec))].map(({ name }) => name);
  expect(names).toEqual(['dims', 'zeros', 'z']);
});

it('leaves such a convolution float, and says why', () => {
  const request = { target: ortCpuX64, scheme: ortCpuX64.scheme, include: [], exclude: [] };
  const { regions, float } = planQuantization(buildModel(spec), request);
  expect(regions.map((region) => region.node)).toEqual(['of-samples', 'of-noise']);
  expect(float.find((each) => each.node === 'of-constants')?.reason).toContain(
    "the same for every sample: 'zeros' holds no more than constants and shapes",
  );
});
