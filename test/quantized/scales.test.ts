/** Scales that are no scales: found wherever they stand, and named. */
import { expect, it } from 'vitest';
import { ortCpuX64Avx2 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { Model } from '../../src/graph/model.ts';
import { lint } from '../../src/quantized/lint/index.ts';
import { badScales, describeBadScale } from '../../src/quantized/quant-params.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';

const modelWith = (x: number, w: readonly number[]): Model =>
  buildModel({
    inputs: { x: [1, 3, 4, 4] },
    outputs: { y: [1, 2, 4, 4] },
    initializers: {
      xs: scalar('float32', x),
      xz: scalar('uint8', 0),
      w: f32([2, 3, 1, 1]),
      ws: w.length === 1 ? scalar('float32', w[0]!) : f32([w.length], w),
      wz: { type: 'int8', dims: w.length === 1 ? [] : [w.length], data: new Int8Array(w.length) },
    },
    nodes: [
      node('QuantizeLinear', ['x', 'xs', 'xz'], ['xq']),
      node('DequantizeLinear', ['xq', 'xs', 'xz'], ['xd']),
      node('QuantizeLinear', ['w', 'ws', 'wz'], ['wq'], { axis: 0 }),
      node('DequantizeLinear', ['wq', 'ws', 'wz'], ['wd'], { axis: 0 }),
      node('Conv', ['xd', 'wd'], ['y']),
    ],
  });

it.each([
  ['a weight: NaN in one channel', modelWith(0.1, [0.1, NaN]), "n_wq its scale 'ws' holds NaN at [1]"],
  ['a weight: 0 in one channel', modelWith(0.1, [0, 0.1]), "n_wq its scale 'ws' holds 0 at [0]"],
  ['a weight: negative', modelWith(0.1, [-0.5]), "n_wq its scale 'ws' is -0.5"],
  ['a weight: infinite', modelWith(0.1, [Infinity]), "n_wq its scale 'ws' is Infinity"],
  ['an activation: NaN', modelWith(NaN, [0.1]), "n_xq its scale 'xs' is NaN"],
  ['an activation: 0', modelWith(0, [0.1]), "n_xq its scale 'xs' is 0"],
])('%s', (_, model, words) => {
  expect(badScales(model).map((bad) => `${bad.node.label} ${describeBadScale(bad)}`)).toEqual([words]);
  const found = lint(model, ortCpuX64Avx2).filter(({ rule }) => rule === 'scale');
  expect(found.map(({ node: label, message }) => `${label!} ${message}`)).toEqual([words]);
});

it('nothing is wrong with small ones', () => {
  expect(badScales(modelWith(1e-30, [1e-38, 3]))).toEqual([]);
});
