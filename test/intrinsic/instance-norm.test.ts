import { describe, expect, it } from 'vitest';
import { f32, i64, type DimSpec, type ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { fuseChecked, unit } from './fuse.ts';

interface Choice {
  readonly dims: readonly DimSpec[];
  readonly axes: readonly number[];
  /** Of a constant that scales the quotient. */
  readonly scale?: readonly number[];
  /** The mean is an output of the model too. */
  readonly shown?: boolean;
}

function written({ dims, axes, scale, shown }: Choice): ModelSpec {
  const e = new Expression([false]);
  e.initializers['axes'] = i64(axes);
  const mean = e.op('ReduceMean', ['x', 'axes'], 'm', { keepdims: 1 });
  const centered = e.op('Sub', ['x', mean]);
  const variance = e.op('ReduceMean', [e.op('Pow', [centered, 2]), 'axes'], undefined, { keepdims: 1 });
  e.op('Div', [centered, e.op('Sqrt', [e.op('Add', [variance, 1e-3])])], scale ? 'q' : 'y');
  if (scale) {
    e.initializers['gain'] = f32(scale);
    e.op('Mul', ['q', 'gain'], 'y');
  }
  const { nodes, initializers } = e;
  return { opset: 18, inputs: { x: dims }, outputs: shown ? ['y', 'm'] : ['y'], nodes, initializers };
}

const feeds = wide([2, 3, 4, 5, 2], 4);
const five: Choice = { dims: ['n', 3, 'c', 'h', 'w'], axes: [2, 3, 4] };
const run = async (choice: Choice, input = feeds) =>
  // A row holds 40 elements of magnitudes up to 4 about a mean up to 4: results of at most √40.
  fuseChecked(written(choice), input, 2 ** 6 * unit * Math.sqrt(40));

describe('instance-norm', () => {
  it.each([
    ['of groups (GroupNorm between its Reshapes)', five],
    ['axes from the end', { ...five, axes: [-1, -3, -2] }],
  ])('%s', async (_, choice) => {
    const { ops, model } = await run(choice);
    expect(ops).toEqual(['InstanceNormalization']);
    const [node] = [...model.graph.nodes()];
    expect(node!.float('epsilon')).toBeCloseTo(1e-3, 9);
    expect([node!.constant(1)!.dims, node!.constant(2)!.dims]).toEqual([[3], [3]]);
  });

  it('of images, with a factor per channel behind it', async () => {
    const { ops } = await run({ dims: ['n', 3, 'h', 'w'], axes: [2, 3], scale: [3, 1, 1] }, wide([2, 3, 4, 10], 4));
    expect(ops).toEqual(['InstanceNormalization', 'Mul']);
  });

  it('of a last axis whose length only a run knows', async () => {
    expect((await run({ dims: ['n', 3, 't'], axes: [2] }, wide([2, 3, 40], 4))).ops).toEqual(['InstanceNormalization']);
  });

  it.each([
    ['a last axis of known length', { dims: ['n', 3, 40], axes: [2] }, [2, 3, 40], ['LayerNormalization']],
    [
      'a scale over the normalized axes',
      { dims: ['n', 3, 4, 10], axes: [2, 3], scale: [4, 10] },
      [2, 3, 4, 10],
      ['LayerNormalization', 'Mul'],
    ],
  ] as const)('leaves to layer-norm %s', async (_, choice, dims, ops) => {
    const fused = await run(choice, wide(dims, 4));
    expect(ops).toContain(fused.ops[0]);
    expect(fused.ops).not.toContain('InstanceNormalization');
  });

  it.each([
    ['other axes', { ...five, axes: [1, 2, 3, 4] }],
    ['an unknown number of channels', { ...five, dims: ['n', 'g', 'c', 'h', 'w'] }],
    ['a mean that others read', { ...five, shown: true }],
  ])('leaves %s', async (_, choice) => {
    expect((await run(choice)).ops).not.toContain('InstanceNormalization');
  });
});
