/** Random small networks of everything that the fusions move about: together they must do what each does alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, i64, node, type Constant, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';
import { numbers } from './parameters.ts';

/** Channels stay 2, so that any constant per channel fits anywhere; nine steps leave some of the space. */
const input = [1, 2, 12, 11];
const constants: Record<string, Constant> = {
  w: f32([2, 2, 2, 2], numbers(1, 16, -0.6, 0.6)),
  b: f32([2], [0.25, -0.5]),
  scale: f32([2], [0.75, -1.25]),
  beta: f32([2], [0.5, 0]),
  mean: f32([2], [0, 0.25]),
  variance: f32([2], [0.5, 1.5]),
  none: f32([2], [0, 0]),
  c: f32([2, 1, 1], [0.75, -1.5]),
  d: f32([1, 2, 1, 1], [-0.5, 1.25]),
  one: f32([], [1]),
  zero: f32([1], [0]),
  half: f32([1, 1, 1], [0.5]),
  position: f32([1], [-0.75]),
  pads: i64([0, 0, 1, 0, 0, 0, 0, 1]),
  noPads: i64([0, 0, 0, 0, 0, 0, 0, 0]),
  kept: i64([0, 0, 0, -1]),
};

type Make = (x: string, y: string) => ModelSpec['nodes'];
const arithmetic = fc
  .record({
    opType: fc.constantFrom('Add', 'Sub', 'Mul', 'Div'),
    constant: fc.constantFrom('c', 'd', 'one', 'half', 'position', 'zero'),
    first: fc.boolean(),
  })
  .map(({ opType, constant, first }): Make => {
    // Nothing here divides by zero or by what may be near it.
    const by = opType === 'Div' && constant === 'zero' ? 'one' : constant;
    return (x, y) => [node(opType, first && opType !== 'Div' ? [by, x] : [x, by], [y])];
  });
const norm = (beta: string, mean: string): Make => {
  return (x, y) => [node('BatchNormalization', [x, 'scale', beta, mean, 'variance'], [y])];
};
const conv = (attributes: Parameters<typeof node>[3], bias: boolean): Make => {
  return (x, y) => [node('Conv', bias ? [x, 'w', 'b'] : [x, 'w'], [y], attributes)];
};
const steps = fc.oneof(
  { weight: 4, arbitrary: arithmetic },
  fc.constantFrom<Make>(
    norm('beta', 'mean'),
    norm('none', 'none'),
    conv({}, false),
    conv({ pads: [1, 0, 0, 1] }, true),
    conv({ auto_pad: 'SAME_LOWER' }, true),
    (x, y) => [node('ConvTranspose', [x, 'w', 'b'], [y])],
    (x, y) => [node('Relu', [x], [y])],
    (x, y) => [node('Identity', [x], [y])],
    (x, y) => [node('Pad', [x, 'pads'], [y])],
    (x, y) => [node('Pad', [x, 'noPads'], [y])],
    (x, y) => [node('Reshape', [x, 'kept'], [y])],
    (x, y) => [
      node('Transpose', [x], [`${y}t`], { perm: [0, 1, 3, 2] }),
      node('Transpose', [`${y}t`], [y], { perm: [0, 1, 3, 2] }),
    ],
    (x, y) => [node('AveragePool', [x], [y], { kernel_shape: [2, 2], pads: [0, 1, 0, 1], count_include_pad: 1 })],
    (x, y) => [node('MaxPool', [x], [y], { kernel_shape: [2, 2], pads: [1, 0, 0, 1] })],
  ),
);

describe('all fusions together', () => {
  it('leave random networks with branches and extra outputs as they were', async () => {
    const step = fc.record({ make: steps, back: fc.nat(2), isOutput: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 9 }),
        fc.integer({ min: 0, max: 3 }),
        async (plan, shared) => {
          const nodes: ModelSpec['nodes'][number][] = [];
          plan.forEach(({ make, back }, i) => {
            // Most read the last result; up to `shared` of them an earlier one.
            const from = i < shared ? Math.max(0, i - back) : i;
            nodes.push(...make(`t${from}`, `t${i + 1}`));
          });
          const outputs = plan.flatMap(({ isOutput }, i) =>
            (isOutput && i % 3 === 0) || i === plan.length - 1 ? [`t${i + 1}`] : [],
          );
          const spec: ModelSpec = { inputs: { t0: input }, outputs, initializers: constants, nodes };
          // Nine steps grow a number in [-1, 1] to a few thousand at the most, of which float32 keeps 7 digits.
          const { ops } = await fuseChecked(spec, feed({ t0: input }), 2e-2);
          expect(ops.length).toBeLessThanOrEqual(nodes.length);
        },
      ),
      { numRuns: 100 },
    );
  });
});
