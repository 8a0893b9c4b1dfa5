import { describe, expect, it } from 'vitest';
import { f32, i64, node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { batchNorm, bn, numbers } from './parameters.ts';

const feeds = feed({ x: [2, 3, 5] });

function spec(flatten: ModelSpec['nodes'], initializers: ModelSpec['initializers'] = {}): ModelSpec {
  return {
    inputs: { x: [2, 3, 5] },
    outputs: ['y'],
    initializers: { w: f32([5, 4], numbers(1, 20, -1, 1)), ...batchNorm(1, 4), ...initializers },
    nodes: [node('MatMul', ['x', 'w'], ['m']), ...flatten, bn('f', 'y')],
  };
}

describe('flat-matmul', () => {
  it.each<[string, ModelSpec]>([
    ['Flatten', spec([node('Flatten', ['m'], ['f'], { axis: 2 })])],
    ['Flatten from behind', spec([node('Flatten', ['m'], ['f'], { axis: -1 })])],
    ['Reshape', spec([node('Reshape', ['m', 's'], ['f'])], { s: i64([-1, 4]) })],
    ['Reshape to a fixed number of rows', spec([node('Reshape', ['m', 's'], ['f'])], { s: i64([6, 4]) })],
  ])('makes a Gemm of MatMul, %s and BatchNormalization', async (_, model) => {
    // |x|, |w| ≤ 1 and |gain| ≤ 3: sums of five products, each way with a few roundings more.
    const { ops, log } = await fuseChecked(model, feeds, 2 * 13 * unit * (3 * 7 + 1));
    expect(ops).toEqual(['Flatten', 'Gemm']);
    expect(log.applied.map(({ pass }) => pass)).toEqual(['flat-matmul', 'conv-bn']);
  });

  it.each<[string, ModelSpec, RegExp]>([
    [
      'joins other axes',
      spec([node('Reshape', ['m', 's'], ['f'])], { s: i64([2, 4, 3]) }),
      /\[2, 4, 3\], not rows of 4/,
    ],
    [
      'is a graph output',
      { ...spec([node('Flatten', ['m'], ['f'], { axis: 2 })]), outputs: ['y', 'm'] },
      /graph output/,
    ],
  ])('leaves a product alone that %s', async (_, model, reason) => {
    await expectRefusal(model, feeds, 'flat-matmul', 'n_m', reason);
  });
});
