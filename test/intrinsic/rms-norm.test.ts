import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, i64, type ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { expectRefusal, fuseChecked, unit } from './fuse.ts';

interface Choice {
  readonly dims: readonly number[];
  readonly square: 'Pow' | 'Mul';
  readonly quotient: 'Div' | 'Reciprocal' | 'Pow';
  readonly scale: boolean;
  readonly swaps: readonly boolean[];
}

const plain: Choice = { dims: [2, 8], square: 'Pow', quotient: 'Reciprocal', scale: true, swaps: [false] };

function rmsNorm(
  { dims, square, quotient, scale, swaps }: Choice,
  more: Partial<ModelSpec> = {},
  axis = -1,
): ModelSpec {
  const e = new Expression(swaps);
  e.initializers['axes'] = i64([axis]);
  const squared = square === 'Pow' ? e.op('Pow', ['x', 2]) : e.op('Mul', ['x', 'x']);
  const sum = e.op('Add', [e.op('ReduceMean', [squared, 'axes'], 'm'), 1e-3]);
  const q = scale ? 'q' : 'y';
  if (quotient === 'Div') e.op('Div', ['x', e.op('Sqrt', [sum])], q);
  else if (quotient === 'Pow') e.op('Mul', ['x', e.op('Pow', [sum, -0.5])], q);
  else e.op('Mul', ['x', e.op('Reciprocal', [e.op('Sqrt', [sum])])], q);
  if (scale) {
    e.initializers['gain'] = f32(dims.slice(-1));
    e.op('Mul', ['gain', q], 'y');
  }
  const { nodes, initializers } = e;
  return { opset: 23, inputs: { x: dims }, outputs: ['y'], nodes, initializers, ...more };
}

const x = wide(plain.dims, 4);

describe('rms-norm', () => {
  it('is found over the last axis, however square and quotient are written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          dims: fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 1, maxLength: 4 }),
          square: fc.constantFrom('Pow' as const, 'Mul' as const),
          quotient: fc.constantFrom('Div' as const, 'Reciprocal' as const, 'Pow' as const),
          scale: fc.boolean(),
          swaps: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
        }),
        async (choice) => {
          const { ops, log } = await fuseChecked(
            rmsNorm(choice),
            wide(choice.dims, 4),
            16 * unit * Math.sqrt(choice.dims.at(-1)!),
          );
          expect(ops).toEqual(['RMSNormalization']);
          expect(log.applied.map(({ pass }) => pass)).toEqual(['rms-norm']);
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each<[string, ModelSpec, RegExp]>([
    ['below opset 23', rmsNorm(plain, { opset: 20 }), /^RMSNormalization needs opset 23, the model is opset 20$/],
    ['over the first axis', rmsNorm(plain, {}, 0), /its axes \[0\] are not the last ones/],
    [
      'when its mean is a graph output',
      rmsNorm(plain, { outputs: ['y', 'm'] }),
      /'m', the result of 'n_m', is a graph output/,
    ],
  ])('refuses %s', (_, model, reason) => expectRefusal(model, x, 'rms-norm', 'n_q', reason));
});
