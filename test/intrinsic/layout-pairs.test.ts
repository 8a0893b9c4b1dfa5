import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { i64, node, type DimSpec, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked, expectRefusal } from './fuse.ts';

const permutations = fc.shuffledSubarray([0, 1, 2], { minLength: 3 });

function chain(nodes: ModelSpec['nodes'], dims: readonly DimSpec[], more: Partial<ModelSpec> = {}): ModelSpec {
  return { inputs: { x: dims }, outputs: ['y'], nodes: [...nodes, node('Relu', ['b'], ['y'])], ...more };
}

/** The shape that a target gives, or undefined when there is none. */
function reshaped(dims: readonly number[], target: readonly number[]): number[] | undefined {
  const known = target.map((size, axis) => (size === 0 ? dims[axis] : size));
  if (known.includes(undefined)) return undefined;
  const rest = known.reduce<number>((product, size) => (size === -1 ? product : product * size!), 1);
  const shape = known.map((size) => (size === -1 ? 24 / rest : size!));
  return shape.every(Number.isInteger) && shape.reduce((a, b) => a * b, 1) === 24 ? shape : undefined;
}

describe('layout-pairs', () => {
  it('makes one Transpose of two, or none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(permutations, { nil: undefined }),
        fc.option(permutations, { nil: undefined }),
        fc.boolean(),
        async (p, q, known) => {
          const spec = chain(
            [
              node('Transpose', ['x'], ['a'], p ? { perm: p } : {}),
              node('Transpose', ['a'], ['b'], q ? { perm: q } : {}),
            ],
            [2, 3, 4],
          );
          const open = known ? spec : { ...spec, inputs: { x: { type: 'float32' } } as const };
          const { ops } = await fuseChecked(open, feed({ x: [2, 3, 4] }));
          const [first, second] = [p ?? [2, 1, 0], q ?? [2, 1, 0]];
          const composed = second.map((axis) => first[axis]!);
          expect(ops).toEqual(composed.every((axis, i) => axis === i) ? ['Relu'] : ['Transpose', 'Relu']);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lets the last of several reshaping nodes do the work', async () => {
    const targets = fc.constantFrom<number[]>(
      [24],
      [2, 12],
      [-1, 4],
      [0, -1],
      [4, 3, 2],
      [2, 3, 4],
      [0, 12],
      [1, 24, 1],
      [0, 0, -1],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(targets, { minLength: 1, maxLength: 3 }), targets, async (middle, last) => {
        const shapes: number[][] = [];
        let dims: number[] = [2, 3, 4];
        for (const target of [...middle, last]) {
          const shape = reshaped(dims, target);
          if (shape) shapes.push(target);
          dims = shape ?? dims;
        }
        const spec: ModelSpec = {
          inputs: { t0: [2, 'n', 4] },
          outputs: ['y'],
          initializers: Object.fromEntries(shapes.map((target, i) => [`s${i}`, i64(target)])),
          nodes: [
            ...shapes.map((_, i) => node('Reshape', [`t${i}`, `s${i}`], [`t${i + 1}`])),
            node('Relu', [`t${shapes.length}`], ['y']),
          ],
        };
        const { ops, log } = await fuseChecked(spec, feed({ t0: [2, 3, 4] }));
        const own = log.refused.filter((each) => each.pass === 'layout-pairs');
        for (const each of own)
          expect(each.reason).toMatch(/its target copies axis \d of 't\d', whose size is not known/);
        expect(ops.filter((opType) => opType === 'Reshape').length).toBeLessThanOrEqual(1 + own.length);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['opset 17', 17, [1], [1]],
    ['opset 17, axes in another order', 17, [0, 3], [3, 0]],
    ['opset 17, counted from the end', 17, [-1, 0], [0, 4]],
    ['opset 11, attributes', 11, [1], [1]],
  ])('removes Squeeze of what was unsqueezed, and the other way round: %s', async (_, opset, up, down) => {
    const spec = (dims: number[], first: string, second: string, a: number[], b: number[]): ModelSpec => {
      const old = opset < 13;
      const make = (opType: string, input: string, output: string, axes: number[], name: string) =>
        node(opType, old ? [input] : [input, name], [output], old ? { axes } : {});
      const nodes = [make(first, 'x', 'a', a, 'p'), make(second, 'a', 'b', b, 'q')];
      return chain(nodes, dims, { opset, initializers: old ? {} : { p: i64(a), q: i64(b) } });
    };
    const flat = [2, 3, 4].slice(0, 5 - up.length);
    const up3 = spec(flat, 'Unsqueeze', 'Squeeze', up, down);
    expect((await fuseChecked(up3, feed({ x: flat }))).ops).toEqual(['Relu']);
    const full = [...flat];
    const rank = flat.length + up.length;
    for (const axis of up.map((each) => (each < 0 ? each + rank : each)).sort((m, n) => m - n)) full.splice(axis, 0, 1);
    const down3 = spec(full, 'Squeeze', 'Unsqueeze', up, down);
    expect((await fuseChecked(down3, feed({ x: full }))).ops).toEqual(['Relu']);
  });

  it('keeps what is not undone', async () => {
    const initializers = { p: i64([0]), q: i64([1]) };
    const squeezed = [node('Unsqueeze', ['x', 'q'], ['a']), node('Squeeze', ['a', 'p'], ['b'])];
    const { ops } = await fuseChecked(chain(squeezed, [1, 3], { initializers }), feed({ x: [1, 3] }));
    expect(ops).toEqual(['Unsqueeze', 'Squeeze', 'Relu']);
  });

  it('removes an inverse although the first result is needed', async () => {
    const nodes = [node('Transpose', ['x'], ['a']), node('Transpose', ['a'], ['b'])];
    const { ops } = await fuseChecked(chain(nodes, [2, 3], { outputs: ['y', 'a'] }), feed({ x: [2, 3] }));
    expect(ops).toEqual(['Transpose', 'Relu']);
  });

  describe('leaves alone, with a reason,', () => {
    const transposes = [
      node('Transpose', ['x'], ['a'], { perm: [1, 2, 0] }),
      node('Transpose', ['a'], ['b'], { perm: [1, 2, 0] }),
    ];
    const feeds = feed({ x: [2, 3, 4] });

    it('a first result that is a graph output, or that others read', async () => {
      const output = chain(transposes, [2, 3, 4], { outputs: ['y', 'a'] });
      await expectRefusal(output, feeds, 'layout-pairs', 'n_b', /'a', the result of 'n_a', is a graph output/);
      const spec = chain([...transposes, node('Neg', ['a'], ['z'])], [2, 3, 4], { outputs: ['y', 'z'] });
      await expectRefusal(spec, feeds, 'layout-pairs', 'n_b', /read by other nodes too/);
    });

    it('a target that copies an axis of what was reshaped', () =>
      expectRefusal(
        chain([node('Reshape', ['x', 'p'], ['a']), node('Reshape', ['a', 'q'], ['b'])], ['n', 3, 4], {
          initializers: { p: i64([-1, 4]), q: i64([0, 2, 2]) },
        }),
        feeds,
        'layout-pairs',
        'n_b',
        /its target copies axis 0 of 'a', whose size is not known/,
      ));

    it('a pair that must keep both names', () =>
      expectRefusal(
        {
          inputs: { x: [2, 3] },
          outputs: ['y', 'a'],
          nodes: [node('Transpose', ['x'], ['a']), node('Transpose', ['a'], ['y'])],
        },
        feed({ x: [2, 3] }),
        'layout-pairs',
        'n_y',
        /'y' is a graph output and its input 'x' is a graph input/,
      ));
  });

  it('cuts along several axes at once', async () => {
    const cut = fc.record({
      start: fc.constantFrom(0, 1, -2, -100),
      end: fc.constantFrom(2, -1, 100, 2 ** 31 - 1, 'max' as const),
      step: fc.constantFrom(1, 2, -1),
    });
    await fc.assert(
      fc.asyncProperty(cut, cut, fc.constantFrom(1, 2, -1, -2), async (p, q, axis) => {
        const constants = (name: string, { start, end, step }: typeof p, on: number): ModelSpec['initializers'] => ({
          [`${name}s`]: i64([start]),
          [`${name}e`]: end === 'max' ? { ...i64([0]), data: BigInt64Array.of(2n ** 63n - 1n) } : i64([end]),
          [`${name}a`]: i64([on]),
          [`${name}t`]: i64([step]),
        });
        const slice = (name: string, x: string, y: string): ModelSpec['nodes'][number] =>
          node('Slice', [x, `${name}s`, `${name}e`, `${name}a`, `${name}t`], [y]);
        const spec = chain([slice('p', 'x', 'a'), slice('q', 'a', 'b')], [4, 5, 6], {
          initializers: { ...constants('p', p, 1), ...constants('q', q, axis) },
        });
        const { ops } = await fuseChecked(spec, feed({ x: [4, 5, 6] }), 0, ['no-ops']);
        const sameAxis = axis === 1 || axis === -2;
        expect(ops).toEqual(sameAxis ? ['Slice', 'Slice', 'Relu'] : ['Slice', 'Relu']);
      }),
      { numRuns: 60 },
    );
  });

  it('cuts as nodes of old opsets do, by attributes', async () => {
    const spec = chain(
      [
        node('Slice', ['x'], ['a'], { starts: [1], ends: [3], axes: [0] }),
        node('Slice', ['a'], ['b'], { starts: [0], ends: [2], axes: [2] }),
      ],
      [4, 5, 6],
      { opset: 9 },
    );
    const { ops } = await fuseChecked(spec, feed({ x: [4, 5, 6] }));
    expect(ops).toEqual(['Slice', 'Relu']);
  });
});

describe('slice-concat', () => {
  it('is the part when it takes one as a whole, else stays', async () => {
    const bound = fc.integer({ min: -8, max: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          lengths: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 3 }),
          start: bound,
          end: bound,
          axis: fc.constantFrom(1, -2),
          open: fc.boolean(),
        }),
        async ({ lengths, start, end, axis, open }) => {
          const names = lengths.map((_, i) => `x${i}`);
          const dims = (length: number): (number | string)[] => [open ? 'n' : 2, length, 3];
          const { ops } = await fuseChecked(
            {
              inputs: Object.fromEntries(names.map((name, i) => [name, dims(lengths[i]!)])),
              outputs: ['y'],
              initializers: { s: i64([start]), e: i64([end]), a: i64([axis]) },
              nodes: [
                ...names.map((name) => node('Relu', [name], [`r${name}`])),
                node(
                  'Concat',
                  names.map((name) => `r${name}`),
                  ['c'],
                  { axis: -2 },
                ),
                node('Slice', ['c', 's', 'e', 'a'], ['y']),
              ],
            },
            feed(Object.fromEntries(names.map((name, i) => [name, [2, lengths[i]!, 3]]))),
          );
          const whole = lengths.flatMap((length, i) => Array.from({ length }, () => i)).slice(start, end);
          const isPart = new Set(whole).size === 1 && whole.length === lengths[whole[0]!];
          const isAll = whole.length === lengths.reduce((a, b) => a + b);
          expect(ops.includes('Slice')).toBe(!isPart && !isAll);
        },
      ),
      { numRuns: 60 },
    );
  });
});
