import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

const spec = (biasDims: readonly number[], x: ModelSpec['inputs'] = { x: ['n', 4] }): ModelSpec => ({
  inputs: x!,
  outputs: ['y'],
  initializers: { w: f32([4, 3]), b: f32(biasDims) },
  nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['y'])],
});

describe('matmul-add', () => {
  it('makes one Gemm of MatMul and Add, in either order of the addends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ rows: fc.integer({ min: 1, max: 4 }), inner: fc.integer({ min: 1, max: 9 }) }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.boolean(),
        async ({ rows, inner }, columns, swapped, row) => {
          const { ops, log, model } = await fuseChecked(
            {
              inputs: { x: [rows, inner] },
              outputs: { y: [rows, columns] },
              initializers: { w: f32([inner, columns]), b: f32(row ? [1, columns] : [columns]) },
              nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', swapped ? ['b', 'm'] : ['m', 'b'], ['y'])],
            },
            feed({ x: [rows, inner] }),
            // |x|, |w|, |b| ≤ 1: sums of up to inner + 1 in two orders.
            2 * (inner + 2) * unit * (inner + 1),
          );
          expect(ops).toEqual(['Gemm']);
          expect(log.applied[0]).toEqual({ pass: 'matmul-add', nodes: ['n_m', 'n_y'], into: 'n_m' });
          // A row [1, columns] is written as [columns] later.
          expect(log.applied).toHaveLength(row ? 2 : 1);
          expect([...model.graph.nodes()][0]!.output()!.name).toBe('y');
        },
      ),
      { numRuns: 15 },
    );
  });

  it('learns the rank from the operators before', async () => {
    const { ops } = await fuseChecked(
      {
        ...spec([3]),
        inputs: { x: { type: 'float32' } },
        nodes: [
          node('Flatten', ['x'], ['f']),
          node('Relu', ['f'], ['r']),
          node('MatMul', ['r', 'w'], ['m']),
          node('Add', ['m', 'b'], ['y']),
        ],
      },
      feed({ x: [2, 2, 2] }),
      12 * unit * 5,
    );
    expect(ops).toEqual(['Flatten', 'Relu', 'Gemm']);
  });

  const x = feed({ x: [2, 4] });
  it.each<[string, ModelSpec, ReturnType<typeof feed>, RegExp]>([
    ['an input of rank 3', spec([3], { x: [2, 2, 4] }), feed({ x: [2, 2, 4] }), /rank of 'x' is 3/],
    ['an input of unknown rank', spec([3], { x: { type: 'float32' } }), x, /rank of 'x' is not known/],
    ['a bias that adds an axis', spec([1, 1, 3]), x, /has shape \[1, 1, 3\], not \[3\]/],
    ['a bias of one element', spec([1]), x, /has shape \[1\]/],
    ['an addend per row', spec([2, 3]), x, /has shape \[2, 3\]/],
    [
      'an addend that is computed',
      {
        ...spec([3]),
        nodes: [
          node('MatMul', ['x', 'w'], ['m']),
          node('Relu', ['x'], ['r']),
          node('Add', ['m', 's'], ['y']),
          node('ReduceSum', ['r'], ['s']),
        ],
      },
      x,
      /'s', which is added, is not constant/,
    ],
  ])('leaves %s', (_, model, feeds, reason) => {
    const ordered = {
      ...model,
      nodes: [...model.nodes].sort((a, b) => Number(a.opType === 'Add') - Number(b.opType === 'Add')),
    };
    return expectRefusal(ordered, feeds, 'matmul-add', 'n_m', reason, ['affine-fold']);
  });
});
