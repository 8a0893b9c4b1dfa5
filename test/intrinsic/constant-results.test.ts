import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/graph/model.ts';
import { f32, float, node, type Constant, type ModelSpec, scalar } from '../support/build.ts';
import { feed, fuseChecked, unit, expectRefusal } from './fuse.ts';

const feeds = feed({ x: [2, 1, 3] });
const spec = (inner: ModelSpec['nodes'][number], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 1, 3] },
  outputs: ['y'],
  nodes: [inner, node('Add', ['s', 'x'], ['y'])],
  ...more,
});

describe('lone-softmax', () => {
  it.each([
    ['Softmax over an axis of one', spec(node('Softmax', ['x'], ['s'], { axis: 1 })), true],
    ['LogSoftmax too', spec(node('LogSoftmax', ['x'], ['s'], { axis: -2 })), true],
    ['a free batch', spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { inputs: { x: ['n', 1, 3] } }), true],
    ['not over several', spec(node('Softmax', ['x'], ['s'], { axis: -1 })), false],
    [
      'not over an axis that is free',
      spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { inputs: { x: [2, 'n', 3] } }),
      false,
    ],
    [
      'not where all axes behind are one with it',
      spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { opset: 11 }),
      false,
    ],
  ])('%s', async (_, model, folds) => {
    const { ops } = await fuseChecked(model, feeds, 0, [], 1);
    expect(ops.some((type) => type.endsWith('Softmax'))).toBe(!folds);
  });

  it('stays where infinity comes in on purpose: it makes NaN', async () => {
    const model = spec(node('Softmax', ['m'], ['s'], { axis: 1 }), {
      initializers: { low: scalar('float32', -Infinity), zero: scalar('float32', 0) },
    });
    const nodes = [node('Greater', ['x', 'zero'], ['g']), node('Where', ['g', 'x', 'low'], ['m']), ...model.nodes];
    await expectRefusal({ ...model, nodes }, feeds, 'lone-softmax', 'n_s', /holds infinity from constant 'low'/);
  });
});

/** A constant whose channels `dead` along an axis are 0. */
function without(dims: readonly number[], axis: number, dead: readonly number[]): Constant {
  const all = f32(dims);
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const data = (all.data as Float32Array).map((value, i) =>
    dead.includes(Math.floor(i / inner) % dims[axis]!) ? 0 : value,
  );
  return { ...all, data };
}

const zeroColumns = (model: Model, name: string, channels: number, inner: number): number[] => {
  const values = model.graph.values.get(name)!.constant!.floats();
  return Array.from({ length: channels }, (_, c) => c).filter((c) =>
    values.every((value, i) => Math.floor(i / inner) % channels !== c || value === 0),
  );
};

/** Conv with dead channels 1 and 3 of 4, limits or none, and a second Conv. */
const convs = (middle: string, second: Record<string, number[]>, bias = f32([4], [0.5, -2, 0.3, 3])): ModelSpec => ({
  inputs: { x: [2, 3, 6, 6] },
  outputs: ['y'],
  initializers: {
    w: without([4, 3, 3, 3], 0, [1, 3]),
    b: bias,
    v: f32([5, 4, 3, 3]),
    ...(middle === 'Clip' && { low: f32([], [-1]), high: f32([], [2]) }),
  },
  nodes: [
    node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }),
    ...(middle === '' ? [] : [node(middle, ['c', ...(middle === 'Clip' ? ['low', 'high'] : [])], ['r'])]),
    node('Conv', [middle === '' ? 'c' : 'r', 'v'], ['y'], second),
  ],
});
const x = feed({ x: [2, 3, 6, 6] });
const bound = 64 * 64 * unit;

describe('constant-channels', () => {
  it.each(['', 'Relu', 'Clip'])('without padding the constant goes into the bias (behind %s)', async (middle) => {
    const { model, log } = await fuseChecked(convs(middle, {}), x, bound);
    expect(zeroColumns(model, 'v', 4, 9)).toEqual([1, 3]);
    expect(log.applied).toEqual([{ pass: 'constant-channels', nodes: ['n_c', 'n_y'], into: 'n_y' }]);
  });

  it('with padding only what is 0: behind Relu the negative bias, and a layer without bias', async () => {
    const pads = { pads: [1, 1, 1, 1] };
    expect(zeroColumns((await fuseChecked(convs('Relu', pads), x, bound)).model, 'v', 4, 9)).toEqual([1]);
    const none = await fuseChecked(convs('', pads), x, bound);
    expect([zeroColumns(none.model, 'v', 4, 9), none.log.applied]).toEqual([[], []]);
    const bare = await fuseChecked(convs('', pads, f32([4], [1, 0, 1, 0])), x, bound);
    expect(zeroColumns(bare.model, 'v', 4, 9)).toEqual([1, 3]);
  });

  it('goes from layer to layer: what reads only constants is one', async () => {
    const spec: ModelSpec = {
      inputs: { x: [3, 4] },
      outputs: ['y'],
      initializers: {
        w: without([4, 4], 1, [2]),
        b: f32([4], [1, 1, 2, 1]),
        // Its channel 0 reads channel 2 alone.
        v: f32([4, 3], [0, 1, 2, 0, 3, 1, 0.5, 1, 1, 0, 2, 2]),
        u: f32([3, 2]),
        d: f32([2]),
      },
      nodes: [
        node('Gemm', ['x', 'w', 'b'], ['h']),
        node('Relu', ['h'], ['r']),
        node('Gemm', ['r', 'v'], ['g'], { alpha: float(2) }),
        node('Gemm', ['g', 'u', 'd'], ['y']),
      ],
    };
    const { model } = await fuseChecked(spec, feed({ x: [3, 4] }), bound);
    expect([...model.graph.values.get('u')!.constant!.floats()].slice(0, 2).map(Math.abs)).toEqual([0, 0]);
  });

  it('computes what it computed, whatever stands between and behind', async () => {
    const dead = fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        dead,
        fc.constantFrom('', 'Relu'),
        fc.constantFrom(1, 2),
        fc.boolean(),
        async (off, relu, group, up) => {
          const behind = up ? 'ConvTranspose' : 'Conv';
          const spec: ModelSpec = {
            inputs: { x: [1, 2, 5, 5] },
            outputs: ['y', 'z'],
            initializers: {
              w: without([4, 2, 2, 2], 0, off),
              b: f32([4]),
              v: f32(up ? [4, 6 / group, 2, 2] : [6, 4 / group, 2, 2]),
              c: f32([6]),
            },
            nodes: [
              node('Conv', ['x', 'w', 'b'], ['h']),
              ...(relu ? [node('Relu', ['h'], ['r'])] : []),
              node(behind, [relu ? 'r' : 'h', 'v', 'c'], ['y'], { group }),
              node('Neg', [relu ? 'r' : 'h'], ['z']),
            ],
          };
          await fuseChecked(spec, feed({ x: [1, 2, 5, 5] }), bound);
        },
      ),
      { numRuns: 20 },
    );
  });
});
