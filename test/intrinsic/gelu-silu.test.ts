import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { expectRefusal, fuseChecked, unit } from './fuse.ts';

const slope = Math.sqrt(2 / Math.PI);

/** x/√2 and √(2/π)(x + 0.044715x³), as exporters write them. */
const argument: Record<string, ((e: Expression) => string)[]> = {
  Erf: [(e) => e.op('Div', ['x', Math.SQRT2]), (e) => e.op('Mul', ['x', Math.SQRT1_2])],
  Tanh: [
    (e) => e.op('Mul', [slope, e.op('Add', ['x', e.op('Mul', [e.op('Pow', ['x', 3]), 0.044715])])]),
    (e) =>
      e.op('Mul', [slope, e.op('Add', ['x', e.op('Mul', [e.op('Mul', [e.op('Mul', ['x', 'x']), 'x']), 0.044715])])]),
    (e) =>
      e.op('Mul', [slope, e.op('Add', ['x', e.op('Mul', [e.op('Mul', [e.op('Mul', [0.044715, 'x']), 'x']), 'x'])])]),
    // HuggingFace's "fast" form.
    (e) => {
      const sum = e.op('Add', [1, e.op('Mul', [e.op('Mul', ['x', 0.044715]), 'x'])]);
      return e.op('Mul', [e.op('Mul', ['x', slope]), sum]);
    },
  ],
};

const product: ((e: Expression, t: string, y: string) => string)[] = [
  (e, t, y) => e.op('Mul', [e.op('Mul', ['x', e.op('Add', [t, 1])]), 0.5], y),
  (e, t, y) => e.op('Mul', [e.op('Mul', ['x', 0.5]), e.op('Add', [t, 1])], y),
  (e, t, y) => e.op('Mul', ['x', e.op('Mul', [e.op('Add', [t, 1]), 0.5])], y),
  (e, t, y) => e.op('Div', [e.op('Mul', ['x', e.op('Add', [t, 1])]), 2], y),
  (e, t, y) => {
    const half = e.op('Mul', ['x', 0.5]);
    return e.op('Add', [e.op('Mul', [half, t]), half], y);
  },
  (e, t, y) => e.op('Mul', ['x', e.op('Sub', [e.op('Mul', [t, 0.5]), -0.5])], y),
];

interface GeluChoice {
  readonly kind: 'Erf' | 'Tanh';
  readonly inner: number;
  readonly outer: number;
  readonly swaps: readonly boolean[];
}

function geluSpec({ kind, inner, outer, swaps }: GeluChoice, dims: readonly number[], opset = 20): ModelSpec {
  const e = new Expression(swaps);
  const forms = argument[kind]!;
  product[outer]!(e, e.op(kind, [forms[inner % forms.length]!(e)], 't'), 'y');
  return { opset, inputs: { x: dims }, outputs: { y: dims }, nodes: e.nodes, initializers: e.initializers };
}

const plainGelu: GeluChoice = { kind: 'Erf', inner: 0, outer: 0, swaps: [false] };
const x = wide([2, 5], 4);

describe('gelu', () => {
  it('is found in every order of operands and with its constants in any place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          kind: fc.constantFrom('Erf' as const, 'Tanh' as const),
          inner: fc.nat(3),
          outer: fc.nat(product.length - 1),
          swaps: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        }),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        fc.constantFrom(1, 6, 20),
        async (choice, dims, reach) => {
          const model = geluSpec(choice, dims);
          const { ops, log, model: fused } = await fuseChecked(model, wide(dims, reach), 16 * unit * reach);
          expect(ops).toEqual(['Gelu']);
          const [node] = [...fused.graph.nodes()];
          expect(node!.string('approximate', 'none')).toBe(choice.kind === 'Erf' ? 'none' : 'tanh');
          expect(log.applied).toHaveLength(1);
          expect(log.applied[0]!.nodes).toHaveLength(model.nodes.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each<[string, ModelSpec, RegExp]>([
    ['below opset 20', geluSpec(plainGelu, [2, 5], 17), /^Gelu needs opset 20, the model is opset 17$/],
    [
      'when its inner result is a graph output',
      { ...geluSpec(plainGelu, [2, 5]), outputs: ['y', 't'] },
      /'t', the result of 'n_t', is a graph output/,
    ],
    ['when something else reads its inner result', extraReader(), /'t', the result of 'n_t', is read by 'n_z' too/],
  ])('refuses %s', (_, model, reason) => expectRefusal(model, x, 'gelu', 'n_t', reason));

  function extraReader(): ModelSpec {
    const e = new Expression();
    product[0]!(e, e.op('Erf', [argument['Erf']![0]!(e)], 't'), 'y');
    e.op('Neg', ['t'], 'z');
    return { opset: 20, inputs: { x: [2, 5] }, outputs: ['y', 'z'], nodes: e.nodes, initializers: e.initializers };
  }

  it.each<[string, (e: Expression) => void, RegExp]>([
    ['another factor inside', (e) => product[0]!(e, e.op('Erf', [e.op('Mul', ['x', 0.7])], 't'), 'y'), /not x\/√2/],
    [
      'another cubic',
      (e) => {
        const cubic = e.op('Mul', [0.8, e.op('Add', ['x', e.op('Mul', [e.op('Pow', ['x', 3]), 0.0447])])]);
        product[0]!(e, e.op('Tanh', [cubic], 't'), 'y');
      },
      /not √\(2\/π\)\(x \+ 0.044715x³\)/,
    ],
    [
      'another factor outside',
      (e) =>
        e.op(
          'Mul',
          [e.op('Mul', ['x', e.op('Add', [e.op('Erf', [e.op('Div', ['x', Math.SQRT2])], 't'), 1])]), 0.6],
          'y',
        ),
      /does not go into ½x\(1 \+ t\) with x = 'x'/,
    ],
  ])('refuses %s', (_, write, reason) => {
    const e = new Expression();
    write(e);
    const model: ModelSpec = {
      opset: 20,
      inputs: { x: [2, 5] },
      outputs: ['y'],
      nodes: e.nodes,
      initializers: e.initializers,
    };
    return expectRefusal(model, x, 'gelu', 'n_t', reason);
  });

  it('refuses constants that lend the result an axis', async () => {
    const e = new Expression([false], [1, 1]);
    product[0]!(e, e.op('Erf', [argument['Erf']![0]!(e)], 't'), 'y');
    const ranked: ModelSpec = {
      opset: 20,
      inputs: { x: [5] },
      outputs: ['y'],
      nodes: e.nodes,
      initializers: e.initializers,
    };
    await expectRefusal(ranked, wide([5], 4), 'gelu', 'n_t', /a constant has rank 2, and the rank of 'x' is 1/);
  });

  it('says nothing of an ordinary Tanh', async () => {
    const e = new Expression();
    e.op('Mul', ['x', e.op('Tanh', [e.op('Mul', ['x', 0.5])])], 'y');
    const model: ModelSpec = {
      opset: 20,
      inputs: { x: [5] },
      outputs: ['y'],
      nodes: e.nodes,
      initializers: e.initializers,
    };
    expect((await fuseChecked(model, wide([5], 4))).log).toEqual({ applied: [], refused: [] });
  });
});

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

function siluSpec(e: Expression, dims: readonly number[] = [2, 5], outputs: readonly string[] = ['y']): ModelSpec {
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
          const { ops } = await fuseChecked(siluSpec(e, dims), feeds(dims, reach), 8 * unit * reach);
          expect(ops).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves Sigmoid and Mul as they are', async () => {
    const e = new Expression();
    e.op('Mul', ['x', e.op('Sigmoid', ['x'])], 'y');
    expect((await fuseChecked({ ...siluSpec(e), opset: 24 }, feeds([2, 5], 4))).log).toEqual({
      applied: [],
      refused: [],
    });
  });

  it.each<[string, (e: Expression) => void]>([
    ['softplus', (e) => e.op('Log', [e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 1])], 'y')],
    ['exp(x)', (e) => e.op('Div', ['x', e.op('Add', [e.op('Exp', ['x']), 1])], 'y')],
    ['2 + exp(-x)', (e) => e.op('Div', ['x', e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 2])], 'y')],
    ['the sum as the dividend', (e) => e.op('Div', [e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])]), 1]), 'z'], 'y')],
  ])('is not %s', async (_, write) => {
    const e = new Expression();
    write(e);
    expect((await fuseChecked(siluSpec(e), feeds([2, 5], 4))).log).toEqual({ applied: [], refused: [] });
  });

  it('is refused when the exponential is needed elsewhere', async () => {
    const write = (): Expression => {
      const e = new Expression();
      e.op('Div', ['x', e.op('Add', [e.op('Exp', [e.op('Neg', ['x'])], 't'), 1], 's')], 'y');
      return e;
    };
    const given = feeds([2, 5], 4);
    await expectRefusal(
      siluSpec(write(), [2, 5], ['y', 's']),
      given,
      'silu',
      'n_t',
      /'s', the result of 'n_s', is a graph output/,
    );
    const more = write();
    more.op('Sqrt', ['t'], 'w');
    await expectRefusal(siluSpec(more, [2, 5], ['y', 'w']), given, 'silu', 'n_t', /'t', .* is read by 'n_w' too/);
  });
});
