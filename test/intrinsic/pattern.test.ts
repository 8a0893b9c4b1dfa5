import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exposed,
  formulaAbove,
  isPolynomial,
  near,
  operandsOf,
  otherOperand,
  polynomialOf,
  scalarOf,
} from '../../src/intrinsic/pattern.ts';
import { constant, body, buildModel, f32, node, scalar, type ModelSpec } from '../support/build.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { Expression, wide } from './expression.ts';
import { fuseChecked, run, unit } from './fuse.ts';

function modelOf(e: Expression, more: Partial<ModelSpec> = {}) {
  const { nodes, initializers } = e;
  return buildModel({ inputs: { x: [3], t: [3] }, outputs: ['y'], nodes, initializers, ...more });
}

/** The polynomial of y, as an object. */
function termsOf(e: Expression): Record<string, number> | undefined {
  const { values } = modelOf(e).graph;
  const polynomial = polynomialOf(values.get('y')!, { x: values.get('x')!, t: values.get('t')! });
  return polynomial && Object.fromEntries(polynomial.terms);
}

describe('polynomialOf', () => {
  it.each<[string, (e: Expression) => void, Record<string, number> | undefined]>([
    ['a sum', (e) => e.op('Add', ['x', 3], 'y'), { x: 1, '': 3 }],
    ['a difference', (e) => e.op('Sub', [3, 'x'], 'y'), { x: -1, '': 3 }],
    [
      'a product over a sum',
      (e) => e.op('Mul', [e.op('Add', ['t', 1]), e.op('Div', ['x', 4])], 'y'),
      { tx: 0.25, x: 0.25 },
    ],
    ['a power', (e) => e.op('Pow', [e.op('Mul', ['x', 2]), 3], 'y'), { xxx: 8 }],
    ['a negative', (e) => e.op('Neg', [e.op('Mul', ['x', 't'])], 'y'), { tx: -1 }],
    ['like terms, which may cancel', (e) => e.op('Add', [e.op('Add', ['x', 1000]), -999], 'y'), undefined],
    ['a product of sums', (e) => e.op('Mul', [e.op('Add', ['x', 1]), e.op('Add', ['t', 1])], 'y'), undefined],
    ['a quotient of symbols', (e) => e.op('Div', ['x', 't'], 'y'), undefined],
    ['a fourth power', (e) => e.op('Pow', ['x', 4], 'y'), undefined],
    ['another function', (e) => e.op('Add', [e.op('Exp', ['x']), 1], 'y'), undefined],
  ])('expands %s', (_, write, expected) => {
    const e = new Expression();
    write(e);
    expect(termsOf(e)).toEqual(expected);
  });

  it('is what onnxruntime computes', async () => {
    // Random expressions; those that are no polynomial are left out.
    const expression: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('x', 't'),
        fc.integer({ min: -3, max: 3 }),
        fc.tuple(fc.constantFrom('Add', 'Sub', 'Mul'), tie('tree'), tie('tree')),
        fc.tuple(fc.constant('Neg'), tie('tree')),
      ),
    })).tree;
    const write = (e: Expression, tree: unknown, output?: string): string | number => {
      if (!Array.isArray(tree)) return output ? e.op('Identity', [tree as string], output) : (tree as string | number);
      const [opType, ...operands] = tree as [string, ...unknown[]];
      return e.op(
        opType,
        operands.map((each) => write(e, each)),
        output,
      );
    };
    await fc.assert(
      fc.asyncProperty(expression, fc.boolean(), async (tree, swapped) => {
        const e = new Expression([swapped]);
        fc.pre(Array.isArray(tree));
        write(e, tree, 'y');
        const terms = termsOf(e);
        fc.pre(terms !== undefined);
        const x = wide([3], 1)['x']!;
        const t: TensorValue = { ...x, data: Float32Array.of(0.5, -0.25, 0.75) };
        const { y } = await run(modelOf(e), { x, t });
        const dims = y!.dims.length;
        [...(y!.data as Float32Array)].forEach((actual, i) => {
          const value = { x: (x.data as Float32Array)[i]!, t: (t.data as Float32Array)[i]! };
          const products = Object.entries(terms).map(([letters, c]) =>
            [...letters].reduce((p, l) => p * value[l as 'x' | 't'], c),
          );
          const size = products.reduce((sum, p) => sum + Math.abs(p), 0);
          if (dims > 0)
            expect(Math.abs(actual - products.reduce((sum, p) => sum + p, 0))).toBeLessThanOrEqual(16 * unit * size);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('knows its nodes and the rank of its constants', () => {
    const e = new Expression([false], [1, 1]);
    e.op('Mul', [e.op('Add', ['x', 3], 'a'), 2], 'y');
    const { values } = modelOf(e).graph;
    const polynomial = polynomialOf(values.get('y')!, { x: values.get('x')! })!;
    expect([...polynomial.nodes].map(({ name }) => name).sort()).toEqual(['n_a', 'n_y']);
    expect(polynomial.rank).toBe(2);
    expect(isPolynomial(polynomial, { x: 2, '': 6 })).toBe(true);
    expect(isPolynomial(polynomial, { x: 2 })).toBe(false);
    expect(isPolynomial(polynomial, { x: 2, '': 6.0001 })).toBe(false);
  });
});

describe('the small helpers', () => {
  const e = new Expression();
  e.op('Mul', [e.op('Add', ['x', 3], 'a'), e.op('Sub', ['x', 1], 'b')], 'y');
  const { graph } = modelOf(e, { outputs: ['y', 'b'] });
  const value = (name: string) => graph.values.get(name)!;

  it('near allows for rounding to float32 and no more', () => {
    expect(near(Math.fround(1 / 6), 1 / 6)).toBe(true);
    expect(near(Math.fround(Math.fround(1 / 3) / 2), 1 / 6)).toBe(true);
    expect(near(0.16667, 1 / 6)).toBe(false);
    expect(near(NaN, 1)).toBe(false);
  });

  it('scalarOf reads constants of one element, of any numeric type', () => {
    const initializers = {
      i: scalar('int64', 2),
      h: constant('float16', [1, 1], [0x3c00]),
      v: f32([2]),
      f: scalar('float32', 0.5),
    };
    const nodes = Object.keys(initializers).map((name) => node('Identity', [name], [`${name}_out`]));
    const { values } = buildModel({
      inputs: { x: [1] },
      outputs: nodes.flatMap((each) => each.output!),
      initializers,
      nodes,
    }).graph;
    expect(['i', 'h', 'v', 'f', 'x'].map((name) => scalarOf(values.get(name)))).toEqual([
      2,
      1,
      undefined,
      0.5,
      undefined,
    ]);
  });

  it('otherOperand picks the other of two', () => {
    const product = value('y').producer!;
    expect(otherOperand(product, value('a'))).toBe(value('b'));
    expect(otherOperand(product, value('b'))).toBe(value('a'));
    expect(otherOperand(product, value('x'))).toBeUndefined();
  });

  it('operandsOf lists what a value is made of, nearest first', () => {
    expect(operandsOf(value('y')).map(({ name }) => name)).toEqual(['y', 'a', 'b', 'x']);
  });

  it('exposed names the result that someone else needs', () => {
    const [add, sub, mul] = [...graph.nodes()] as [never, never, never];
    expect(exposed(new Set([add, mul]), mul)).toBeUndefined();
    expect(exposed(new Set([add, sub, mul]), mul)).toBe("'b', the result of 'n_b', is a graph output");
    expect(exposed(new Set([add, sub]), sub)).toBe("'a', the result of 'n_a', is read by 'n_y' too");
  });

  it('formulaAbove finds the nearest result of that form', () => {
    const { root } = formulaAbove(value('a'), value('x'), { tx: 1, t: -1 })!;
    expect(root.name).toBe('n_y');
    expect(formulaAbove(value('a'), value('x'), { tx: 1 })).toBeUndefined();
  });
});

describe('patterns in a body graph', () => {
  it('are rewritten there, with x and constants from outside', async () => {
    const inner = new Expression();
    inner.op(
      'Mul',
      [inner.op('Mul', ['x', inner.op('Add', [inner.op('Erf', [inner.op('Div', ['x', Math.SQRT2])]), 1])]), 0.5],
      'z',
    );
    const spec: ModelSpec = {
      opset: 20,
      inputs: { x: [4], c: { type: 'bool', dims: [] } },
      outputs: ['y'],
      initializers: inner.initializers,
      nodes: [
        node('If', ['c'], ['y'], {
          then_branch: body({ outputs: ['z'], nodes: inner.nodes }),
          else_branch: body({ outputs: ['w'], nodes: [node('Neg', ['x'], ['w'])] }),
        }),
      ],
    };
    const { model } = await fuseChecked(
      spec,
      { ...wide([4], 3), c: constant('bool', [], [1]) as TensorValue },
      48 * unit,
    );
    expect([...model.allNodes()].map(({ opType }) => opType)).toEqual(['If', 'Gelu', 'Neg']);
  });
});
