import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { f32, node, scalar, type Constant, type ModelSpec, body, constant } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { numbers, batchNorm, bn, layers, placedLayer, shiftObstacle } from './parameters.ts';
import { float16ToFloat32, float32ToFloat16, fromFloat32, toFloat32 } from '../../src/onnx/narrow-types.ts';

type Operator = 'Add' | 'Sub' | 'Mul' | 'Div';

/** Div of a constant by the tensor is no affine map; the constant stands first only in the others. */
const placed = (op: Operator, x: string, first: boolean, y: string, c = 'c') =>
  node(op, first && op !== 'Div' ? [c, x] : [x, c], [y]);

/** Constants of magnitude 0.5 to 1.5 and either sign: dividing by them stays tame. */
function factors(seed: number, dims: readonly number[]): Constant {
  const count = dims.reduce((a, b) => a * b, 1);
  return f32(
    dims,
    numbers(seed, count, -1, 1).map((value) => value + (value < 0 ? -0.5 : 0.5)),
  );
}

/** Results of `terms` products of numbers up to 1, then mapped: at most M = 2·(terms + 2) + 2, and terms + 8 roundings. */
const tolerance = (terms: number): number => 2 * (terms + 8) * unit * (2 * (terms + 2) + 2);

const operators = fc.constantFrom<Operator>('Add', 'Sub', 'Mul', 'Div');

/** A constant for that many channels on axis 1: one number, or one for each, with or without the batch axis. */
const shapes = fc.constantFrom<(channels: number, rank: number) => number[]>(
  () => [],
  () => [1],
  (_, rank) => Array.from({ length: rank }, () => 1),
  (channels, rank) => [channels, ...Array.from({ length: rank - 2 }, () => 1)],
  (channels, rank) => [1, channels, ...Array.from({ length: rank - 2 }, () => 1)],
);

const anything = {
  layer: layers,
  op: operators,
  shape: shapes,
  first: fc.boolean(),
  bias: fc.boolean(),
  seed: fc.nat(1e6),
};

describe('affine-fold', () => {
  it('folds into the layer before, of any shape', async () => {
    await fc.assert(
      fc.asyncProperty(fc.record(anything), async ({ layer, op, shape, first, bias, seed }) => {
        const host = placedLayer(layer, bias, 'x', 'l');
        const spec: ModelSpec = {
          inputs: { x: layer.x },
          outputs: ['y'],
          initializers: { ...host.initializers, c: factors(seed, shape(layer.outputs, layer.rank)) },
          nodes: [host.node, placed(op, 'l', first, 'y')],
        };
        const { ops, log, model } = await fuseChecked(spec, feed({ x: layer.x }), tolerance(layer.terms));
        expect(ops).toEqual([layer.opType]);
        expect(log.refused).toEqual([]);
        expect(log.applied[0]).toEqual({ pass: 'affine-fold', nodes: ['n_l', 'n_y'], into: 'n_l' });
        // A product needs no bias that was not there.
        const scales = op === 'Mul' || op === 'Div';
        expect([...model.graph.nodes()][0]!.inputs).toHaveLength(bias || !scales ? 3 : 2);
      }),
      { numRuns: 60 },
    );
  });

  it('folds into the layer behind where padding and border allow it, and else says why not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.record(anything), async ({ layer, op, shape, first, bias, seed }) => {
        const host = placedLayer(layer, bias, 'l', 'y');
        const spec: ModelSpec = {
          inputs: { x: layer.x },
          outputs: ['y'],
          initializers: { ...host.initializers, c: factors(seed, shape(layer.inputs, layer.rank)) },
          nodes: [placed(op, 'x', first, 'l'), host.node],
        };
        const feeds = feed({ x: layer.x });
        const reason = op === 'Add' || op === 'Sub' ? shiftObstacle(layer) : undefined;
        if (reason) {
          await expectRefusal(spec, feeds, 'affine-fold', 'n_l', reason);
          return;
        }
        const { ops, log } = await fuseChecked(spec, feeds, 2 * tolerance(layer.terms));
        expect(ops).toEqual([layer.opType]);
        expect(log.applied[0]).toEqual({ pass: 'affine-fold', nodes: ['n_l', 'n_y'], into: 'n_y' });
      }),
      { numRuns: 60 },
    );
  });

  it.each(['before', 'behind'])('folds into BatchNormalization %s', async (side) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          op: operators,
          shape: shapes,
          first: fc.boolean(),
          seed: fc.nat(1e6),
          channels: fc.nat(2),
          zero: fc.boolean(),
        }),
        async ({ op, shape, first, seed, channels, zero }) => {
          const count = channels + 1;
          const c = factors(seed, shape(count, 3));
          if (zero && c.data.length > 1 && op === 'Mul') (c.data as Float32Array)[0] = 0;
          const nodes =
            side === 'before'
              ? [bn('x', 'm'), placed(op, 'm', first, 'y')]
              : [placed(op, 'x', first, 'm'), bn('m', 'y')];
          const spec: ModelSpec = {
            inputs: { x: [2, count, 3] },
            outputs: ['y'],
            initializers: { c, ...batchNorm(seed, count) },
            nodes,
          };
          const { ops, log } = await fuseChecked(spec, feed({ x: [2, count, 3] }), 300 * unit);
          expect(ops).toEqual(['BatchNormalization']);
          expect(log.applied[0]!.into).toBe(side === 'before' ? 'n_m' : 'n_y');
        },
      ),
      { numRuns: 40 },
    );
  });

  const x = [1, 2, 4, 4];
  const feeds = feed({ x });
  const conv = (input: string, output: string, attributes = {}) => node('Conv', [input, 'w'], [output], attributes);
  const base: ModelSpec = {
    inputs: { x },
    outputs: ['y'],
    initializers: { w: f32([2, 2, 3, 3]), c: f32([2, 1, 1], [0.5, -1.5]), d: f32([2, 1, 1], [0.25, 0.75]) },
    nodes: [],
  };

  it('folds BatchNormalization written as Mul and Add, and the normalization of an input', async () => {
    const nodes = [
      node('Sub', ['x', 'c'], ['a']),
      node('Div', ['a', 'd'], ['b']),
      conv('b', 'e'),
      node('Mul', ['e', 'c'], ['f']),
      node('Add', ['f', 'd'], ['y']),
    ];
    expect((await fuseChecked({ ...base, nodes }, feeds, 1e-4)).ops).toEqual(['Conv']);
  });

  it('folds into every layer that reads the result, copying what they share', async () => {
    const nodes = [node('Mul', ['x', 'c'], ['a']), conv('a', 'y'), conv('a', 'z'), conv('x', 'u')];
    const { ops, model } = await fuseChecked({ ...base, nodes, outputs: ['y', 'z', 'u'] }, feeds, 1e-5);
    expect(ops).toEqual(['Conv', 'Conv', 'Conv']);
    expect(model.graph.values.get('w')!.initializer!.floats()).toEqual(base.initializers!['w']!.data);
  });

  it('folds into MatMul of any rank what needs no bias', async () => {
    const spec: ModelSpec = {
      inputs: { x: [2, 3, 5] },
      outputs: ['y'],
      initializers: { w: f32([5, 4]), c: f32([4]), d: f32([1, 5]) },
      nodes: [node('Div', ['x', 'd'], ['a']), node('MatMul', ['a', 'w'], ['b']), node('Mul', ['c', 'b'], ['y'])],
    };
    expect((await fuseChecked(spec, feed({ x: [2, 3, 5] }), 1e-4)).ops).toEqual(['MatMul']);
    const added = { ...spec, nodes: [node('MatMul', ['x', 'w'], ['b']), node('Add', ['b', 'c'], ['y'])] };
    await expectRefusal(added, feed({ x: [2, 3, 5] }), 'affine-fold', 'n_y', /has rank 3, not 2/);
  });

  it('rounds once to float16 when the layer is float16', async () => {
    const w = float16([0.3337, -1.25, 2.0e-3, 7.5]);
    const spec: ModelSpec = {
      inputs: { x: { type: 'float16', dims: [1, 1, 2, 4] } },
      outputs: ['y'],
      initializers: { w: { ...w, dims: [2, 1, 1, 2] }, c: { ...float16([0.3, 3]), dims: [2, 1, 1] } },
      nodes: [conv('x', 'l'), node('Div', ['l', 'c'], ['y'])],
    };
    const { ops, model } = await fuseChecked(
      spec,
      { x: { ...float16(Array(8).fill(0.5)), dims: [1, 1, 2, 4] } as never },
      Infinity,
    );
    expect(ops).toEqual(['Conv']);
    const folded = model.graph.values.get('w')!.initializer!;
    expect(folded.type.name).toBe('float16');
    const [before, by] = [
      toFloat32(w.data as Uint16Array, float16ToFloat32),
      toFloat32(float16([0.3, 3]).data as Uint16Array, float16ToFloat32),
    ];
    folded.floats().forEach((value, i) => {
      const exact = before[i]! / by[i >> 1]!;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -11);
    });
  });

  it('works in bodies, also on layers that read a tensor from outside', async () => {
    const branch = (output: string) => body({ outputs: [output], nodes: [conv('a', output)] });
    const spec: ModelSpec = {
      ...base,
      inputs: { x, go: { type: 'bool', dims: [] } },
      nodes: [
        node('Mul', ['x', 'c'], ['a']),
        node('If', ['go'], ['y'], { then_branch: branch('t'), else_branch: branch('e') }),
      ],
    };
    const go = constant('bool', [], [1]) as TensorValue;
    expect((await fuseChecked(spec, { ...feeds, go }, 1e-5)).ops).toEqual(['If']);
  });

  describe('leaves alone, with a reason,', () => {
    const refused = (change: Partial<ModelSpec>, reason: RegExp, label = 'n_y', more = {}): Promise<void> =>
      expectRefusal({ ...base, ...change }, { ...feeds, ...more }, 'affine-fold', label, reason);
    const behind = [conv('x', 'l'), node('Add', ['l', 'c'], ['y'])];
    const before = [node('Mul', ['x', 'c'], ['l']), conv('l', 'y')];

    it('a layer whose result is a graph output', () =>
      refused({ nodes: behind, outputs: ['y', 'l'] }, /'l', the result of 'n_l', is a graph output/));

    it('a layer whose result other nodes read', () =>
      refused({ nodes: [...behind, node('Relu', ['l'], ['z'])], outputs: ['y', 'z'] }, /read by other nodes too/));

    it('a result in front of a layer that is a graph output, or that others read', async () => {
      await refused({ nodes: before, outputs: ['y', 'l'] }, /'l' is a graph output/, 'n_l');
      const read = { nodes: [...before, node('Relu', ['l'], ['z'])], outputs: ['y', 'z'] };
      await refused(read, /also read by Relu 'n_z'/, 'n_l');
    });

    it('a weight that is fed', () => {
      const { w, ...initializers } = base.initializers!;
      return refused(
        { inputs: { x, w: w!.dims }, initializers, nodes: behind },
        /weight of 'n_l' is not constant/,
        'n_y',
        { w },
      );
    });

    it.each([
      ['a constant per position', [1, 2], /not one number for each of 2 channels/],
      ['a constant with more axes', [1, 1, 1, 1, 1], /the tensor rank 4/],
      ['a constant per sample', [2, 1, 1, 1], /not one number for each of 2 channels/],
    ])('%s', (_, dims, reason) => {
      const initializers = { ...base.initializers!, c: f32(dims) };
      return refused({ initializers, nodes: [conv('x', 'l'), node('Add', ['l', 'c'], ['y'])] }, reason);
    });

    it('a constant that broadcasts the tensor to more channels, or may do so', async () => {
      const gray = { inputs: { x: [1, 1, 4, 4] }, nodes: before };
      await refused(gray, /'x' has 1 channels, not 2/, 'n_l', feed({ x: [1, 1, 4, 4] }));
      await refused({ inputs: { x: [1, 'c', 4, 4] }, nodes: before }, /not known to have 2 channels/, 'n_l');
      const unknown = { inputs: { x: { type: 'float32' as const } }, nodes: before };
      await refused(
        { ...unknown, initializers: { ...base.initializers!, c: f32([1, 2, 1, 1]) } },
        /rank of 'x' is not known/,
        'n_l',
      );
    });

    it('a constant that adds an axis', () =>
      expectRefusal(
        {
          inputs: { x: [2, 4] },
          outputs: ['y'],
          initializers: { w: f32([3, 2, 2]), c: f32([1, 1, 1]) },
          nodes: [node('Mul', ['x', 'c'], ['l']), conv('l', 'y')],
        },
        feed({ x: [2, 4] }),
        'affine-fold',
        'n_l',
        /more axes than 'x'/,
      ));

    it('a division by zero and a fold that overflows', async () => {
      const divided = { nodes: [conv('x', 'l'), node('Div', ['l', 'c'], ['y'])] };
      await refused(
        { ...divided, initializers: { ...base.initializers!, c: scalar('float32', 0) } },
        /divides by zero/,
      );
      const w = f32([2, 2, 3, 3], Array(36).fill(1e30));
      const c = scalar('float32', 1e-30);
      await refused({ ...divided, initializers: { w, c } }, /does not fit float32/);
    });

    it('a constant divided by the result', () =>
      refused({ nodes: [conv('x', 'l'), node('Div', ['c', 'l'], ['y'])] }, /divides its constant by 'l'/));

    it('a Gemm that transposes its input', () =>
      expectRefusal(
        {
          inputs: { x: [3, 2] },
          outputs: ['y'],
          initializers: { w: f32([3, 4]), c: scalar('float32', 2) },
          nodes: [node('Mul', ['x', 'c'], ['l']), node('Gemm', ['l', 'w'], ['y'], { transA: 1 })],
        },
        feed({ x: [3, 2] }),
        'affine-fold',
        'n_l',
        /transposes its input/,
      ));

    it('a BatchNormalization of unknown rank', () =>
      refused(
        {
          inputs: { x: { type: 'float32' } },
          initializers: { c: f32([2, 1, 1]), ...batchNorm(1, 2) },
          nodes: [bn('x', 'm'), node('Mul', ['m', 'c'], ['y'])],
        },
        /an unknown rank/,
      ));
  });
});

function float16(values: readonly number[]): Constant {
  return { type: 'float16', dims: [values.length], data: fromFloat32(Float32Array.from(values), float32ToFloat16) };
}

it('leaves the constant of a Gelu in primitive form where it is', async () => {
  const spec: ModelSpec = {
    inputs: { x: [2, 3] },
    outputs: { y: [2, 4] },
    initializers: {
      root: scalar('float32', Math.SQRT2),
      one: scalar('float32', 1),
      half: scalar('float32', 0.5),
      w: f32([3, 4]),
    },
    nodes: [
      node('Div', ['x', 'root'], ['d']),
      node('Erf', ['d'], ['e']),
      node('Add', ['e', 'one'], ['a']),
      node('Mul', ['x', 'a'], ['m']),
      node('Mul', ['m', 'half'], ['h']),
      node('MatMul', ['h', 'w'], ['y']),
    ],
  };
  const { log, ops } = await fuseChecked(spec, feed({ x: [2, 3] }));
  expect(ops).toEqual(['Div', 'Erf', 'Add', 'Mul', 'Mul', 'MatMul']);
  expect(log.refused.map(({ reason }) => reason)).toContain('Gelu needs opset 20, the model is opset 17');
});

/** 0.5 to 1.5 and either sign. */
const pairFactors = (seed: number, dims: readonly number[]): Constant =>
  f32(
    dims,
    numbers(
      seed,
      dims.reduce((a, b) => a * b, 1),
      -1,
      1,
    ).map((value) => value + (value < 0 ? -0.5 : 0.5)),
  );

const pairShapes = fc.constantFrom([], [1], [3], [2, 1], [2, 3], [1, 1, 3]);
const step = (ops: Operator[]) => fc.record({ op: fc.constantFrom(...ops), first: fc.boolean(), dims: pairShapes });
const chain = (ops: Operator[]) => fc.array(step(ops), { minLength: 2, maxLength: 4 });

describe('affine-pairs', () => {
  it('merges sums with sums and products with products, in either order, of any shapes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(chain(['Add', 'Sub']), chain(['Mul', 'Div'])), fc.nat(1e6), async (steps, seed) => {
        const spec: ModelSpec = {
          inputs: { t0: [2, 3] },
          outputs: [`t${steps.length}`],
          initializers: Object.fromEntries(steps.map(({ dims }, i) => [`c${i}`, pairFactors(seed + i, dims)])),
          nodes: steps.map(({ op, first }, i) =>
            node(op, first ? [`c${i}`, `t${i}`] : [`t${i}`, `c${i}`], [`t${i + 1}`]),
          ),
        };
        const feeds = { t0: pairFactors(seed + 9, [2, 3]) as TensorValue };
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
