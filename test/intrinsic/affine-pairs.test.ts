import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { f32, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { numbers } from './parameters.ts';

type Operator = 'Add' | 'Sub' | 'Mul' | 'Div';

/** 0.5 to 1.5 and either sign. */
const factors = (seed: number, dims: readonly number[]): Constant =>
  f32(
    dims,
    numbers(
      seed,
      dims.reduce((a, b) => a * b, 1),
      -1,
      1,
    ).map((value) => value + (value < 0 ? -0.5 : 0.5)),
  );

const shapes = fc.constantFrom([], [1], [3], [2, 1], [2, 3], [1, 1, 3]);
const step = (ops: Operator[]) => fc.record({ op: fc.constantFrom(...ops), first: fc.boolean(), dims: shapes });
const chain = (ops: Operator[]) => fc.array(step(ops), { minLength: 2, maxLength: 4 });

describe('affine-pairs', () => {
  it('merges sums with sums and products with products, in either order, of any shapes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(chain(['Add', 'Sub']), chain(['Mul', 'Div'])), fc.nat(1e6), async (steps, seed) => {
        const spec: ModelSpec = {
          inputs: { t0: [2, 3] },
          outputs: [`t${steps.length}`],
          initializers: Object.fromEntries(steps.map(({ dims }, i) => [`c${i}`, factors(seed + i, dims)])),
          nodes: steps.map(({ op, first }, i) =>
            node(op, first ? [`c${i}`, `t${i}`] : [`t${i}`, `c${i}`], [`t${i + 1}`]),
          ),
        };
        const feeds = { t0: factors(seed + 9, [2, 3]) as TensorValue };
        // Up to 1.5^4 · 2 twice over, or its reciprocal's 2^5, with at most 8 roundings each.
        const { ops, log } = await fuseChecked(spec, feeds, 2 * 16 * 64 * unit);
        const grew = log.refused.filter((each) => each.pass === 'affine-pairs');
        for (const each of grew) expect(each.reason).toMatch(/larger .* than each of them/);
        expect(ops.length).toBe(1 + grew.length);
      }),
      { numRuns: 80 },
    );
  });

  const feeds = feed({ x: [2, 3] });
  const spec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
    inputs: { x: [2, 3] },
    outputs: ['y'],
    initializers: { a: f32([3], [0.5, 2, -1]), b: scalar('float32', 0.25), column: f32([2, 1], [1, 2]) },
    nodes,
    ...more,
  });

  it('gives the constant that two subtractions make', async () => {
    const nodes = [node('Sub', ['a', 'x'], ['m']), node('Sub', ['b', 'm'], ['y'])];
    const { ops, model } = await fuseChecked(spec(nodes), feeds, 8 * unit);
    expect(ops).toEqual(['Add']);
    expect([...[...model.graph.nodes()][0]!.constant(0)!.floats()]).toEqual([-0.25, -1.75, 1.25]);
  });

  it('copies a constant that is used elsewhere', async () => {
    const nodes = [node('Mul', ['x', 'a'], ['m']), node('Mul', ['m', 'b'], ['y']), node('Sub', ['a', 'x'], ['z'])];
    const { ops } = await fuseChecked(spec(nodes, { outputs: ['y', 'z'] }), feeds, 8 * unit);
    expect(ops).toEqual(['Mul', 'Sub']);
  });

  it('leaves sums and products to themselves, without a word', async () => {
    const nodes = [node('Mul', ['x', 'a'], ['m']), node('Add', ['m', 'b'], ['y'])];
    const { ops, log } = await fuseChecked(spec(nodes), feeds);
    expect(ops).toEqual(['Mul', 'Add']);
    expect(log.refused).toEqual([]);
  });

  describe('leaves alone, with a reason,', () => {
    const pair = [node('Mul', ['x', 'a'], ['m']), node('Mul', ['m', 'b'], ['y'])];
    const refused = (change: ModelSpec, reason: RegExp): Promise<void> =>
      expectRefusal(change, feeds, 'affine-pairs', 'n_y', reason);

    it('a first result that is a graph output', () =>
      refused(spec(pair, { outputs: ['y', 'm'] }), /'m', the result of 'n_m', is a graph output/));

    it('a first result that others read', () =>
      refused(spec([...pair, node('Relu', ['m'], ['z'])], { outputs: ['y', 'z'] }), /read by other nodes too/));

    it('two constants that would grow', () =>
      refused(spec([pair[0]!, node('Mul', ['m', 'column'], ['y'])]), /\(\[2, 3\]\) than each of them/));

    it('two constants that overflow', () =>
      refused(
        spec([node('Div', ['x', 'a'], ['m']), node('Div', ['m', 'b'], ['y'])], {
          initializers: { a: scalar('float32', 1e-30), b: scalar('float32', 1e-30) },
        }),
        /does not fit float32/,
      ));
  });
});
