import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, f32, node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

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
