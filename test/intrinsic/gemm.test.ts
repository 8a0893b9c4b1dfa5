import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, f32, node, type ModelSpec, i64 } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { batchNorm, bn, numbers } from './parameters.ts';

const sumSpec = (biasDims: readonly number[], x: ModelSpec['inputs'] = { x: ['n', 4] }): ModelSpec => ({
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
        ...sumSpec([3]),
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
    ['an input of rank 3', sumSpec([3], { x: [2, 2, 4] }), feed({ x: [2, 2, 4] }), /rank of 'x' is 3/],
    ['an input of unknown rank', sumSpec([3], { x: { type: 'float32' } }), x, /rank of 'x' is not known/],
    ['a bias that adds an axis', sumSpec([1, 1, 3]), x, /has shape \[1, 1, 3\], not \[3\]/],
    ['a bias of one element', sumSpec([1]), x, /has shape \[1\]/],
    ['an addend per row', sumSpec([2, 3]), x, /has shape \[2, 3\]/],
    [
      'an addend that is computed',
      {
        ...sumSpec([3]),
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

const feeds = feed({ x: [2, 3, 5] });

function flatSpec(flatten: ModelSpec['nodes'], initializers: ModelSpec['initializers'] = {}): ModelSpec {
  return {
    inputs: { x: [2, 3, 5] },
    outputs: ['y'],
    initializers: { w: f32([5, 4], numbers(1, 20, -1, 1)), ...batchNorm(1, 4), ...initializers },
    nodes: [node('MatMul', ['x', 'w'], ['m']), ...flatten, bn('f', 'y')],
  };
}

describe('flat-matmul', () => {
  it.each<[string, ModelSpec]>([
    ['Flatten', flatSpec([node('Flatten', ['m'], ['f'], { axis: 2 })])],
    ['Flatten from behind', flatSpec([node('Flatten', ['m'], ['f'], { axis: -1 })])],
    ['Reshape', flatSpec([node('Reshape', ['m', 's'], ['f'])], { s: i64([-1, 4]) })],
    ['Reshape to a fixed number of rows', flatSpec([node('Reshape', ['m', 's'], ['f'])], { s: i64([6, 4]) })],
  ])('makes a Gemm of MatMul, %s and BatchNormalization', async (_, model) => {
    // |x|, |w| ≤ 1 and |gain| ≤ 3: sums of five products, each way with a few roundings more.
    const { ops, log } = await fuseChecked(model, feeds, 2 * 13 * unit * (3 * 7 + 1));
    expect(ops).toEqual(['Flatten', 'Gemm']);
    expect(log.applied.map(({ pass }) => pass)).toEqual(['flat-matmul', 'conv-bn']);
  });

  it.each<[string, ModelSpec, RegExp]>([
    [
      'joins other axes',
      flatSpec([node('Reshape', ['m', 's'], ['f'])], { s: i64([2, 4, 3]) }),
      /\[2, 4, 3\], not rows of 4/,
    ],
    [
      'is a graph output',
      { ...flatSpec([node('Flatten', ['m'], ['f'], { axis: 2 })]), outputs: ['y', 'm'] },
      /graph output/,
    ],
  ])('leaves a product alone that %s', async (_, model, reason) => {
    await expectRefusal(model, feeds, 'flat-matmul', 'n_m', reason);
  });
});

const [rows, inner, columns] = [3, 4, 5];
const gemm = (attributes: Parameters<typeof node>[3], bias?: readonly number[], values?: number[]): ModelSpec => ({
  inputs: { x: [rows, inner] },
  outputs: ['y'],
  initializers: { w: f32([inner, columns]), ...(bias && { b: f32(bias, values) }) },
  nodes: [node('Gemm', ['x', 'w', ...(bias ? ['b'] : [])], ['y'], attributes)],
});

describe('gemm-constants', () => {
  it('multiplies alpha and beta into the constants, and writes out every broadcast bias', async () => {
    const factors = fc.constantFrom(2, 0.5, -1.25, 0, 1);
    const shapes = fc.constantFrom([], [1], [1, 1], [1, columns], [columns], undefined);
    await fc.assert(
      fc.asyncProperty(factors, factors, shapes, async (alpha, beta, bias) => {
        const spec = gemm({ alpha: float(alpha), beta: float(beta) }, bias);
        const { model, ops } = await fuseChecked(
          spec,
          feed({ x: [rows, inner] }),
          8 * (inner + 2) * unit * (inner + 1),
        );
        expect(ops).toEqual(['Gemm']);
        const [only] = [...model.graph.nodes()];
        expect([only!.float('alpha', 1), bias ? only!.float('beta', 1) : 1]).toEqual([1, 1]);
        if (bias) expect(only!.constant(2)!.dims).toEqual([columns]);
      }),
      { numRuns: 40 },
    );
  });

  it('rows that are equal are one; rows that differ stay, with beta in them', async () => {
    const equal = gemm({}, [2, 5], [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    const two = await fuseChecked({ ...equal, inputs: { x: [2, inner] } }, feed({ x: [2, inner] }), 8 * unit * inner);
    expect([...two.model.graph.nodes()][0]!.constant(2)!.dims).toEqual([5]);
    const other = await fuseChecked(gemm({ beta: float(3) }, [rows, 1]), feed({ x: [rows, inner] }), 32 * unit * inner);
    const [node0] = [...other.model.graph.nodes()];
    expect(node0!.constant(2)!.dims).toEqual([rows, 1]);
    expect(node0!.float('beta', 1)).toBe(1);
    expect(other.log.applied).toEqual([{ pass: 'gemm-constants', nodes: ['n_y'], into: 'n_y' }]);
  });

  it('leaves alone what needs nothing', async () => {
    const { log } = await fuseChecked(gemm({ transB: 0 }, [columns]), feed({ x: [rows, inner] }), 0);
    expect(log).toEqual({ applied: [], refused: [] });
  });

  it('does not make an infinity of a finite weight', async () => {
    const spec = gemm({ alpha: float(1e30) });
    const large = {
      ...spec,
      initializers: {
        w: f32(
          [inner, columns],
          Array.from({ length: 20 }, () => 1e10),
        ),
      },
    };
    const zeros = { x: { type: 'float32', dims: [rows, inner], data: new Float32Array(12) } } as const;
    await expectRefusal(large, zeros, 'gemm-constants', 'n_y', /'w' times .* does not fit float32/);
  });
});
