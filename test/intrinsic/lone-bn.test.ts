import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, float, node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { batchNorm, bn, numbers } from './parameters.ts';

const zeros = (count: number) => f32([count], numbers(0, count, 0, 0));
const ones = (count: number) => f32([count], numbers(0, count, 1, 1));

describe('lone-bn', () => {
  it('becomes Mul without a shift, Add without a gain, and stays with both', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
        fc.constantFrom('Mul', 'Add', 'both'),
        fc.boolean(),
        async (seed, channels, space, kind, isOutput) => {
          const shape = [2, channels, ...space];
          const spec: ModelSpec = {
            inputs: { x: shape },
            outputs: isOutput ? ['y', 'n'] : ['y'],
            initializers: {
              ...batchNorm(seed, channels),
              ...(kind === 'Mul' ? { beta: zeros(channels), mean: zeros(channels) } : {}),
              ...(kind === 'Add' ? { scale: ones(channels), variance: ones(channels) } : {}),
            },
            nodes: [bn('x', 'n', { epsilon: float(0) }), node('Relu', ['n'], ['y'])],
          };
          if (kind === 'both') {
            await expectRefusal(spec, feed({ x: shape }), 'lone-bn', 'n_n', /scales and shifts/);
            return;
          }
          const { ops, model } = await fuseChecked(spec, feed({ x: shape }), 16 * unit);
          expect(ops).toEqual([kind, 'Relu']);
          expect([...model.graph.nodes()][0]!.constant(1)!.dims).toEqual([channels, ...space.map(() => 1)]);
        },
      ),
      { numRuns: 40 },
    );
  });

  const parameters = { ...batchNorm(1, 2), beta: zeros(2), mean: zeros(2) };

  it('keeps parameters that another BatchNormalization shares', async () => {
    const spec: ModelSpec = {
      inputs: { x: [1, 2, 3] },
      outputs: ['y', 'z'],
      initializers: { ...parameters, other: f32([2], [1, 2]) },
      nodes: [bn('x', 'y'), node('BatchNormalization', ['x', 'scale', 'other', 'mean', 'variance'], ['z'])],
    };
    const { ops } = await fuseChecked(spec, feed({ x: [1, 2, 3] }), 16 * unit);
    expect(ops).toEqual(['Mul', 'BatchNormalization']);
  });

  it('takes a gain of nearly 1 for what it is', () =>
    expectRefusal(
      {
        inputs: { x: [1, 2, 3] },
        outputs: ['y'],
        initializers: { ...batchNorm(1, 2), scale: ones(2), variance: ones(2) },
        nodes: [bn('x', 'y', { epsilon: float(1e-5) })],
      },
      feed({ x: [1, 2, 3] }),
      'lone-bn',
      'n_y',
      /scales and shifts/,
    ));

  it('stays where the rank is not known', () =>
    expectRefusal(
      { inputs: { x: { type: 'float32' } }, outputs: ['y'], initializers: parameters, nodes: [bn('x', 'y')] },
      feed({ x: [1, 2, 3] }),
      'lone-bn',
      'n_y',
      /type and rank of 'x' are not known/,
    ));
});
