import { describe, expect, it } from 'vitest';
import { f32, i64, node, type ModelSpec, type AttributeSpec, type DimSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

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

function mean(axes: readonly number[], keepdims: number, opset: number): ModelSpec {
  const byInput = opset >= 18;
  return {
    opset,
    inputs: { x: ['n', 3, 'h', 'w'] },
    outputs: ['y'],
    initializers: byInput ? { axes: i64(axes) } : {},
    nodes: [node('ReduceMean', byInput ? ['x', 'axes'] : ['x'], ['y'], { keepdims, ...(byInput ? {} : { axes }) })],
  };
}

describe('reduce-mean-to-pool', () => {
  it.each([
    [[2, 3], 13],
    [[-1, -2], 13],
    [[3, 2], 18],
    [[-2, 3], 18],
  ])('makes a pool of axes %j in opset %i', async (axes, opset) => {
    const { ops, log } = await fuseChecked(mean(axes, 1, opset), feeds, tolerance);
    expect(ops).toEqual(['GlobalAveragePool']);
    expect(log.applied[0]).toEqual({ pass: 'reduce-mean-to-pool', nodes: ['n_y'], into: 'n_y' });
  });

  it.each([
    ['Reshape', ['m', 'shape'], {}],
    ['Flatten', ['m'], {}],
    ['Flatten', ['m'], { axis: 0 }],
    ['Flatten', ['m'], { axis: 2 }],
  ])('drops the axes in a %s that follows', async (opType, inputs, attributes) => {
    const { ops } = await fuseChecked(
      {
        ...mean([2, 3], 0, 13),
        initializers: { shape: i64([0, -1, 1]) },
        values: { m: ['n', 3] },
        nodes: [
          node('ReduceMean', ['x'], ['m'], { axes: [2, 3], keepdims: 0 }),
          node(opType, inputs, ['y'], attributes),
        ],
      },
      feeds,
      tolerance,
    );
    expect(ops).toEqual(['GlobalAveragePool', opType]);
  });

  it('leaves what would need one more node, and unknown ranks and types', async () => {
    await expectRefusal(mean([2, 3], 0, 13), feeds, 'reduce-mean-to-pool', 'n_y', /keepdims = 0/);
    const flat = [
      node('ReduceMean', ['x'], ['m'], { axes: [2, 3], keepdims: 0 }),
      node('Flatten', ['m'], ['y'], { axis: -1 }),
    ];
    const kept = { ...mean([2, 3], 0, 13), nodes: flat };
    await expectRefusal(kept, feeds, 'reduce-mean-to-pool', 'n_m', /keepdims = 0/, ['no-ops']);
    const unknown = { ...mean([2, 3], 1, 13), inputs: { x: { type: 'float32' } } as const };
    await expectRefusal(unknown, feeds, 'reduce-mean-to-pool', 'n_y', /rank of 'x' is not known/);
    const int = { ...mean([2, 3], 1, 13), inputs: { x: { type: 'int32', dims: [1, 1, 2, 2] } } as const };
    const x = { type: 'int32', dims: [1, 1, 2, 2], data: Int32Array.of(1, 2, 3, 4) } as const;
    await expectRefusal(int, { x }, 'reduce-mean-to-pool', 'n_y', /its element type is int32/);
  });

  it('has nothing to say about other axes', async () => {
    for (const axes of [[1], [1, 2], [1, 2, 3]]) {
      const { ops, log } = await fuseChecked(mean(axes, 1, 13), feeds);
      expect([ops, log]).toEqual([['ReduceMean'], { applied: [], refused: [] }]);
    }
  });

  it('learns rank and type from a convolution', async () => {
    const spec: ModelSpec = {
      inputs: { x: { type: 'float32' } },
      outputs: ['y'],
      initializers: { w: f32([2, 3, 1, 1]) },
      nodes: [node('Conv', ['x', 'w'], ['c']), node('ReduceMean', ['c'], ['y'], { axes: [2, 3] })],
    };
    expect((await fuseChecked(spec, feeds, 3 * tolerance)).ops).toEqual(['Conv', 'GlobalAveragePool']);
  });
});
