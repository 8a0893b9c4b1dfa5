import { describe, expect, it } from 'vitest';
import { node, type AttributeSpec, type DimSpec, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked, unit } from './fuse.ts';

const feeds = feed({ x: [2, 3, 4, 5] });
/** |x| ≤ 1: two orders of summing 20 numbers, and one division. */
const tolerance = 2 * 21 * unit;

function pool(dims: readonly DimSpec[], attributes: Record<string, AttributeSpec>): ModelSpec {
  return { inputs: { x: dims }, outputs: ['y'], nodes: [node('AveragePool', ['x'], ['y'], attributes)] };
}

describe('global-pool', () => {
  it.each<[string, Record<string, AttributeSpec>]>([
    ['a window as large as the plane', { kernel_shape: [4, 5] }],
    ['any strides', { kernel_shape: [4, 5], strides: [4, 4], count_include_pad: 1, pads: [0, 0, 0, 0] }],
  ])('takes %s', async (_, attributes) => {
    const { ops } = await fuseChecked(pool(['n', 3, 4, 5], attributes), feeds, tolerance);
    expect(ops).toEqual(['GlobalAveragePool']);
  });

  it('takes a plane that follows from the input and the nodes between, the batch being symbolic', async () => {
    const { ops } = await fuseChecked(
      {
        inputs: { x: ['n', 3, 4, 5] },
        outputs: ['y'],
        nodes: [
          node('MaxPool', ['x'], ['a'], { kernel_shape: [2, 2], strides: [2, 2] }),
          node('Relu', ['a'], ['b']),
          node('AveragePool', ['b'], ['y'], { kernel_shape: [2, 2] }),
        ],
      },
      feeds,
      tolerance,
    );
    expect(ops).toEqual(['MaxPool', 'Relu', 'GlobalAveragePool']);
  });

  it.each<[string, readonly DimSpec[], Record<string, AttributeSpec>]>([
    ['a smaller window', ['n', 3, 4, 5], { kernel_shape: [4, 4] }],
    ['padding', ['n', 3, 4, 5], { kernel_shape: [4, 5], pads: [0, 0, 1, 0] }],
    ['padding by a rule', ['n', 3, 4, 5], { kernel_shape: [4, 5], auto_pad: 'SAME_UPPER' }],
    ['a plane whose size is not declared', ['n', 3, 'h', 5], { kernel_shape: [4, 5] }],
  ])('leaves %s', async (_, dims, attributes) => {
    const { ops } = await fuseChecked(pool(dims, attributes), feeds, tolerance);
    expect(ops).toEqual(['AveragePool']);
  });
});
