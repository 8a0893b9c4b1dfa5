import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, type ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { expectRefusal, fuseChecked, unit, type Feeds } from './fuse.ts';

/** Clip(v, 0, 6), as node n_t. */
const limit: ((e: Expression, v: string) => string)[] = [
  (e, v) => e.op('Clip', [v, 0, 6], 't'),
  (e, v) => e.op('Min', [e.op('Relu', [v]), 6], 't'),
  (e, v) => e.op('Min', [6, e.op('Max', [0, v])], 't'),
];

/** x · t / 6, and whether t / 6 is a part of it. */
const product: ((e: Expression, t: string) => string)[] = [
  (e, t) => e.op('Div', [e.op('Mul', ['x', t]), 6], 'y'),
  (e, t) => e.op('Mul', [e.op('Mul', ['x', t]), 1 / 6], 'y'),
  (e, t) => e.op('Mul', [e.op('Div', [t, 6]), 'x'], 'y'),
  (e, t) => e.op('Mul', ['x', e.op('Mul', [1 / 6, t])], 'y'),
  (e, t) => e.op('Mul', [e.op('Mul', ['x', 1 / 6]), t], 'y'),
];

const swaps = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });
const dimensions = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });
const x = wide([2, 5], 8);

function specOf(e: Expression, more: Partial<ModelSpec> = {}, dims: readonly number[] = [2, 5]): ModelSpec {
  const { nodes, initializers } = e;
  return { opset: 17, inputs: { x: dims }, outputs: ['y'], nodes, initializers, ...more };
}

/** The usual form. */
function plain(more: Partial<ModelSpec> = {}): ModelSpec {
  const e = new Expression();
  product[0]!(e, limit[0]!(e, e.op('Add', ['x', 3])));
  return specOf(e, more);
}

describe('hard-swish', () => {
  it('is found in every order of operands, with its constants in any place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(limit.length - 1),
        fc.nat(product.length - 1),
        swaps,
        dimensions,
        fc.constantFrom(13, 14, 17),
        async (inner, outer, orders, dims, opset) => {
          const e = new Expression(orders);
          product[outer]!(e, limit[inner]!(e, e.op('Add', ['x', 3])));
          const { ops } = await fuseChecked(specOf(e, { opset }, dims), wide(dims, 8), 8 * unit * 8);
          expect(ops).toEqual(opset < 14 ? ['HardSigmoid', 'Mul'] : ['HardSwish']);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes limits from attributes, where old opsets have them', async () => {
    const e = new Expression();
    const six = { min: float(0), max: float(6) };
    product[0]!(e, e.op('Clip', [e.op('Add', ['x', 3])], 't', six));
    const { ops } = await fuseChecked(specOf(e, { opset: 9 }), x, 8 * unit * 8);
    expect(ops).toEqual(['HardSigmoid', 'Mul']);
  });

  it('is made of x · HardSigmoid(x) from opset 14 on', async () => {
    const build = (opset: number, alpha: number): ModelSpec => {
      const e = new Expression();
      e.op('Mul', ['x', e.op('HardSigmoid', ['x'], 't', { alpha: float(alpha), beta: float(0.5) })], 'y');
      return specOf(e, { opset });
    };
    expect((await fuseChecked(build(14, 1 / 6), x, 8 * unit * 8)).ops).toEqual(['HardSwish']);
    expect((await fuseChecked(build(13, 1 / 6), x)).ops).toEqual(['HardSigmoid', 'Mul']);
    expect((await fuseChecked(build(14, 0.2), x)).log).toEqual({ applied: [], refused: [] });
  });

  it.each<[string, ModelSpec, RegExp]>([
    [
      'when its inner result is a graph output',
      plain({ outputs: ['y', 't'] }),
      /'t', the result of 'n_t', is a graph output/,
    ],
    ['when the sum is', plain({ outputs: ['y', 't0'] }), /'t0', the result of 'n_t0', is a graph output/],
    [
      'a type without a kernel',
      plain({ inputs: { x: { type: 'float64', dims: [2, 5] } }, initializers: {} }),
      /the element type of 'x' is float64, not float32/,
    ],
  ])('refuses %s', (_, model, reason) => {
    const isDouble = Object.keys(model.initializers!).length === 0;
    if (!isDouble) return expectRefusal(model, x, 'hard-swish', 'n_t', reason);
    const numbers = Object.entries(plain().initializers!).map(([name, { dims, data }]) => {
      return [name, { type: 'float64' as const, dims, data: Float64Array.from(data as Float32Array) }];
    });
    const feeds: Feeds = {
      x: { type: 'float64', dims: [2, 5], data: Float64Array.from(x['x']!.data as Float32Array) },
    };
    return expectRefusal({ ...model, initializers: Object.fromEntries(numbers) }, feeds, 'hard-swish', 'n_t', reason);
  });

  it('refuses when nothing divides by 6', () => {
    const e = new Expression();
    e.op('Mul', ['x', limit[0]!(e, e.op('Add', ['x', 3]))], 'y');
    return expectRefusal(specOf(e), x, 'hard-swish', 'n_t', /nothing multiplies its result by 1\/6/);
  });
});

describe('hard-sigmoid', () => {
  it('is made of a Clip of a linear function', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<[number, number, number]>([1, 3, 6], [0.2, 0.5, 1], [-0.5, 2, 3], [2, 1, 0.5]),
        fc.boolean(),
        swaps,
        dimensions,
        async ([slope, offset, height], divides, orders, dims) => {
          const e = new Expression(orders);
          const scaled = slope === 1 ? 'x' : e.op('Mul', ['x', slope]);
          const t = e.op('Clip', [e.op('Add', [scaled, offset]), 0, height], height === 1 ? 'y' : 't');
          if (height !== 1) e.op(divides ? 'Div' : 'Mul', [t, divides ? height : 1 / height], 'y');
          const { ops, model } = await fuseChecked(specOf(e, {}, dims), wide(dims, 8), 8 * unit);
          expect(ops).toEqual(['HardSigmoid']);
          const [node] = [...model.graph.nodes()];
          expect(node!.float('alpha')).toBeCloseTo(slope / height, 6);
          expect(node!.float('beta')).toBeCloseTo(offset / height, 6);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('stays apart from a factor that is not x', async () => {
    const e = new Expression();
    e.op('Mul', ['z', e.op('Div', [limit[0]!(e, e.op('Add', ['x', 3])), 6])], 'y');
    const spec = specOf(e, { inputs: { x: [2, 5], z: [2, 5] } });
    const { ops } = await fuseChecked(spec, { ...x, z: x['x']! }, 8 * unit * 8);
    expect(ops).toEqual(['HardSigmoid', 'Mul']);
  });

  it.each<[string, (e: Expression) => void]>([
    ['a Relu6', (e) => e.op('Clip', ['x', 0, 6], 'y')],
    [
      'a Clip of x + b, which the region before it can take in',
      (e) => e.op('Clip', [e.op('Add', ['x', 0.5]), 0, 1], 'y'),
    ],
    ['a Clip that does not begin at 0', (e) => e.op('Div', [e.op('Clip', [e.op('Add', ['x', 3]), 1, 6]), 6], 'y')],
    ['a Clip to another height', (e) => e.op('Div', [e.op('Clip', [e.op('Add', ['x', 3]), 0, 5]), 6], 'y')],
  ])('leaves %s', async (_, write) => {
    const e = new Expression();
    write(e);
    expect((await fuseChecked(specOf(e), x)).log).toEqual({ applied: [], refused: [] });
  });
});
