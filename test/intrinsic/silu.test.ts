import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { expectRefusal, fuseChecked, unit } from './fuse.ts';

const negated: ((e: Expression) => string)[] = [
  (e) => e.op('Neg', ['x']),
  (e) => e.op('Mul', ['x', -1]),
  (e) => e.op('Sub', [e.number(0), 'x']),
  (e) => e.op('Div', ['x', -1]),
];

/** What is made of 1 + exp(-x), and the operators it becomes. */
const quotient: [(e: Expression, sum: string) => string, string[]][] = [
  [(e, sum) => e.op('Div', ['x', sum], 'y'), ['Sigmoid', 'Mul']],
  [(e, sum) => e.op('Mul', ['x', e.op('Reciprocal', [sum])], 'y'), ['Sigmoid', 'Mul']],
  [(e, sum) => e.op('Mul', ['x', e.op('Div', [1, sum])], 'y'), ['Sigmoid', 'Mul']],
  [(e, sum) => e.op('Reciprocal', [sum], 'y'), ['Sigmoid']],
  [(e, sum) => e.op('Div', [1, sum], 'y'), ['Sigmoid']],
  [(e, sum) => e.op('Div', ['z', sum], 'y'), ['Sigmoid', 'Mul']],
];

function spec(e: Expression, dims: readonly number[] = [2, 5], outputs: readonly string[] = ['y']): ModelSpec {
  const { nodes, initializers } = e;
  return { inputs: { x: dims, z: dims }, outputs, nodes, initializers };
}

const feeds = (dims: readonly number[], reach: number) => ({ ...wide(dims, reach), z: wide(dims, 1)['x']! });

describe('silu', () => {
  it('becomes Sigmoid and Mul from every form of 1 / (1 + exp(-x))', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(negated.length - 1),
        fc.nat(quotient.length - 1),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        fc.constantFrom(1, 10, 40),
        async (inner, outer, swaps, dims, reach) => {
          const e = new Expression(swaps);
          const [write, expected] = quotient[outer]!;
          write(e, e.op('Add', [e.op('Exp', [negated[inner]!(e)]), 1]));
          const { ops } = await fuseChecked(spec(e, dims), feeds(dims, reach), 8 * unit * reach);
          expect(ops).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves Sigmoid and Mul as they are', async () => {
    const e = new Expression();
    e.op('Mul', ['x', e.op('Sigmoid', ['x'])], 'y');
    expect((await fuseChecked({ ...spec(e), opset: 24 }, feeds([2, 5], 4))).log).toEqual({ applied: [], refused: [] });
  });

  it.each<[string, (e: Expression) => void]>([
    ['softplus', (e) => e.op('Log', [e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 1])], 'y')],
    ['exp(x)', (e) => e.op('Div', ['x', e.op('Add', [e.op('Exp', ['x']), 1])], 'y')],
    ['2 + exp(-x)', (e) => e.op('Div', ['x', e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 2])], 'y')],
    ['the sum as the dividend', (e) => e.op('Div', [e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 1]), 'z'], 'y')],
  ])('is not %s', async (_, write) => {
    const e = new Expression();
    write(e);
    expect((await fuseChecked(spec(e), feeds([2, 5], 4))).log).toEqual({ applied: [], refused: [] });
  });

  it('is refused when the exponential is needed elsewhere', async () => {
    const write = (): Expression => {
      const e = new Expression();
      e.op('Div', ['x', e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])], 't'), 1], 's')], 'y');
      return e;
    };
    const given = feeds([2, 5], 4);
    await expectRefusal(
      spec(write(), [2, 5], ['y', 's']),
      given,
      'silu',
      'n_t',
      /'s', the result of 'n_s', is a graph output/,
    );
    const more = write();
    more.op('Sqrt', ['t'], 'w');
    await expectRefusal(spec(more, [2, 5], ['y', 'w']), given, 'silu', 'n_t', /'t', .* is read by 'n_w' too/);
  });
});
