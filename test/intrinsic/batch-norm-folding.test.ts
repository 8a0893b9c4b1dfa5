/**
 * With |x|, |w|, |b| ≤ 1, a dot product of K terms and |gain| ≤ 3, every intermediate is at most
 * M = 3·(K + 1 + |mean|) + |beta|. Each of the two computations makes at most K + 8 roundings relative to M.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, float, node, type ModelSpec, constant, type Constant } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { batchNorm, bn, numbers, layers, placedLayer, shiftObstacle } from './parameters.ts';
import { float32ToFloat16 } from '../../src/onnx/narrow-types.ts';

const tolerance = (terms: number): number => 2 * (terms + 8) * unit * (3 * (terms + 2) + 1);

function convSpec(options: {
  seed?: number;
  transposed?: boolean;
  group?: number;
  perGroup?: number;
  inputs?: number;
  kernel?: number[];
  pad?: number;
  stride?: number;
  bias?: boolean;
}): { spec: ModelSpec; shape: number[]; terms: number } {
  const { seed = 1, transposed = false, group = 1, perGroup = 2, inputs = 2, kernel = [3, 3] } = options;
  const { pad = 0, stride = 1, bias = false } = options;
  const [channelsIn, channelsOut] = [inputs * group, perGroup * group];
  const dims = transposed ? [channelsIn, perGroup, ...kernel] : [channelsOut, inputs, ...kernel];
  const size = dims.reduce((a, b) => a * b, 1);
  const shape = [2, channelsIn, ...kernel.map((k) => k + 3)];
  const attributes = { group, pads: [...kernel, ...kernel].map(() => pad), strides: kernel.map(() => stride) };
  const spec: ModelSpec = {
    inputs: { x: shape },
    outputs: ['y'],
    initializers: {
      w: f32(dims, numbers(seed, size, -1, 1)),
      ...(bias ? { b: f32([channelsOut], numbers(seed + 9, channelsOut, -1, 1)) } : {}),
      ...batchNorm(seed, channelsOut),
    },
    nodes: [
      node(transposed ? 'ConvTranspose' : 'Conv', bias ? ['x', 'w', 'b'] : ['x', 'w'], ['c'], attributes),
      bn('c', 'y', { epsilon: float(1e-3) }),
    ],
  };
  return { spec, shape, terms: inputs * kernel.reduce((a, b) => a * b, 1) };
}

const convOptions = {
  seed: fc.integer({ min: 0, max: 1e6 }),
  group: fc.constantFrom(1, 2, 3),
  perGroup: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
  pad: fc.integer({ min: 0, max: 1 }),
  stride: fc.integer({ min: 1, max: 2 }),
  bias: fc.boolean(),
};

describe('conv-bn', () => {
  it.each([false, true])('folds into convolutions of any shape (transposed: %s)', async (transposed) => {
    await fc.assert(
      fc.asyncProperty(fc.record(convOptions), async (options) => {
        // A transposed 1-tap kernel cannot lose a padded border.
        const pad = options.kernel.includes(1) ? 0 : options.pad;
        const { spec, shape, terms } = convSpec({ ...options, pad, transposed });
        const { ops, model, log } = await fuseChecked(spec, feed({ x: shape }), tolerance(terms));
        expect(ops).toEqual([transposed ? 'ConvTranspose' : 'Conv']);
        expect(log.refused).toEqual([]);
        expect(log.applied[0]).toEqual({ pass: 'conv-bn', nodes: ['n_c', 'n_y'], into: 'n_c' });
        const [conv] = model.graph.nodes();
        expect([conv!.name, conv!.output()!.name, conv!.input(1)!.name]).toEqual(['n_c', 'y', 'w']);
      }),
      { numRuns: 25 },
    );
  });

  it('folds into Gemm with any bias shape, alpha, beta and transposition', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom<number[] | undefined>(undefined, [], [1], [4], [1, 4], [3, 4], [3, 1]),
        fc.boolean(),
        fc.boolean(),
        async (seed, biasDims, transA, transB) => {
          const size = (biasDims ?? []).reduce((a, b) => a * b, 1);
          const shape = transA ? [5, 3] : [3, 5];
          const spec: ModelSpec = {
            inputs: { x: shape },
            outputs: ['y'],
            initializers: {
              w: f32(transB ? [4, 5] : [5, 4], numbers(seed, 20, -1, 1)),
              ...(biasDims ? { b: f32(biasDims, numbers(seed + 9, size, -1, 1)) } : {}),
              ...batchNorm(seed, 4),
            },
            nodes: [
              node('Gemm', biasDims ? ['x', 'w', 'b'] : ['x', 'w'], ['c'], {
                alpha: float(0.75),
                beta: float(-0.5),
                transA: Number(transA),
                transB: Number(transB),
              }),
              bn('c', 'y'),
            ],
          };
          const { ops } = await fuseChecked(spec, feed({ x: shape }), tolerance(5));
          expect(ops).toEqual(['Gemm']);
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each([false, true])('folds into MatMul of a matrix, which becomes Gemm (bias added: %s)', async (added) => {
    const spec: ModelSpec = {
      inputs: { x: ['n', 5] },
      outputs: { y: ['n', 4] },
      initializers: { 'fc.weight': f32([5, 4]), b: f32([4]), ...batchNorm(3, 4) },
      nodes: [
        node('MatMul', ['x', 'fc.weight'], ['m']),
        ...(added ? [node('Add', ['b', 'm'], ['a'])] : []),
        bn(added ? 'a' : 'm', 'y'),
      ],
    };
    const { ops, model } = await fuseChecked(spec, feed({ x: [3, 5] }), tolerance(5));
    expect(ops).toEqual(['Gemm']);
    expect([...model.graph.nodes()][0]!.inputs.map((value) => value!.name)).toEqual([
      'x',
      'fc.weight',
      added ? 'b' : 'fc.bias',
    ]);
  });

  it('copies a weight and a bias that other nodes share', async () => {
    const spec: ModelSpec = {
      inputs: { x: [1, 2, 4, 4] },
      outputs: ['y', 'z'],
      initializers: { w: f32([2, 2, 1, 1]), b: f32([2]), ...batchNorm(5, 2) },
      nodes: [
        node('Conv', ['x', 'w', 'b'], ['c']),
        bn('c', 'y'),
        node('Conv', ['x', 'w', 'b'], ['d']),
        node('Relu', ['d'], ['z']),
      ],
    };
    const { ops, model } = await fuseChecked(spec, feed({ x: [1, 2, 4, 4] }), tolerance(2));
    expect(ops).toEqual(['Conv', 'Conv', 'Relu']);
    expect(model.graph.values.get('w')!.initializer!.floats()).toEqual(f32([2, 2, 1, 1]).data);
  });

  it('folds chains of BatchNormalization in one run, and in opset 9', async () => {
    const spec: ModelSpec = {
      opset: 9,
      inputs: { x: [1, 2, 4] },
      outputs: ['y'],
      initializers: { w: f32([2, 2, 1]), ...batchNorm(5, 2) },
      nodes: [node('Conv', ['x', 'w'], ['c']), bn('c', 'd'), bn('d', 'y')],
    };
    // The second one multiplies every magnitude and its error once more.
    const { ops, log } = await fuseChecked(spec, feed({ x: [1, 2, 4] }), 5 * tolerance(2));
    expect(ops).toEqual(['Conv']);
    expect(log.applied.map((each) => each.pass)).toEqual(['conv-bn', 'conv-bn']);
  });

  it('keeps float64 in float64', async () => {
    const doubles = Object.fromEntries(
      Object.entries(batchNorm(7, 4)).map(([name, value]) => [
        name,
        constant('float64', [4], [...(value.data as Float32Array)]),
      ]),
    );
    const spec: ModelSpec = {
      inputs: { x: { type: 'float64', dims: [3, 5] } },
      outputs: ['y'],
      initializers: { w: constant('float64', [5, 4]), ...doubles },
      nodes: [node('Gemm', ['x', 'w'], ['c']), bn('c', 'y')],
    };
    const x = constant('float64', [3, 5]) as never;
    const { ops, model } = await fuseChecked(spec, { x }, tolerance(5) * 2 ** -29);
    expect(ops).toEqual(['Gemm']);
    expect(model.graph.values.get('w')!.type).toBe('float64');
  });

  it('folds float16 in float64 and stores float16', async () => {
    const half = ({ dims, data }: Constant): Constant => ({
      type: 'float16',
      dims,
      data: Uint16Array.from(data as Float32Array, float32ToFloat16),
    });
    const { spec, shape } = convSpec({ kernel: [2, 2] });
    const halves = Object.fromEntries(Object.entries(spec.initializers!).map(([name, value]) => [name, half(value)]));
    const x = half(f32(shape));
    // What float16 arithmetic makes of the outputs is not the point here; the stored weight is checked below.
    const { ops, model } = await fuseChecked(
      { ...spec, inputs: { x: { type: 'float16', dims: shape } }, initializers: halves },
      { x: x as never },
      Infinity,
    );
    expect(ops).toEqual(['Conv']);
    const weight = model.graph.values.get('w')!.initializer!;
    expect(weight.type.name).toBe('float16');
    const gain = (c: number): number => {
      const [s, v] = ['scale', 'variance'].map((name) => halvesOf(halves[name]!)[c]!);
      return s! / Math.sqrt(v! + Math.fround(1e-3));
    };
    const before = halvesOf(halves['w']!);
    weight.floats().forEach((value, i) => {
      const exact = before[i]! * gain(Math.floor(i / 8));
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -11 * 1.001 + 2 ** -25);
    });
  });

  describe('leaves alone, with a reason,', () => {
    const { spec, shape } = convSpec({});
    const feeds = feed({ x: shape });
    const refused = (change: Partial<ModelSpec>, reason: RegExp, label = 'n_y', more = {}): Promise<void> =>
      expectRefusal({ ...spec, ...change }, { ...feeds, ...more }, 'conv-bn', label, reason);
    const conv = spec.nodes[0]!;

    it('a convolution whose result is a graph output', () =>
      refused({ outputs: ['y', 'c'] }, /'c'.*'n_c', is a graph output/));

    it('a convolution whose result other nodes read', () =>
      refused({ outputs: ['y', 'z'], nodes: [...spec.nodes, node('Relu', ['c'], ['z'])] }, /read by other nodes too/));

    it('a weight that is fed', () => {
      const { w, ...rest } = spec.initializers!;
      return refused(
        { inputs: { x: shape, w: w!.dims }, initializers: rest },
        /the weight of 'n_c' is not constant/,
        'n_y',
        { w },
      );
    });

    it('a bias that is fed', () =>
      refused(
        { inputs: { x: shape, b: [2] }, nodes: [{ ...conv, input: ['x', 'w', 'b'] }, spec.nodes[1]!] },
        /the bias of 'n_c' is not constant/,
        'n_y',
        feed({ b: [2] }),
      ));

    it('parameters that are fed', () => {
      const { mean, ...rest } = spec.initializers!;
      return refused({ inputs: { x: shape, mean: [2] }, initializers: rest }, /'mean' is not constant/, 'n_y', {
        mean,
      });
    });

    it('a BatchNormalization without a layer before it', () =>
      refused(
        { inputs: { x: [1, 2, 3] }, nodes: [bn('x', 'y')] },
        /not the result of a convolution/,
        'n_y',
        feed({ x: [1, 2, 3] }),
      ));

    it('a BatchNormalization behind an activation', () =>
      refused({ nodes: [conv, node('Relu', ['c'], ['r']), bn('r', 'y')] }, /its input comes from Relu 'n_r'/));

    it('a negative variance', () =>
      refused({ initializers: { ...spec.initializers!, variance: f32([2], [1, -1]) } }, /not positive in channel 1/));

    it('a fold that overflows', () =>
      refused(
        {
          initializers: { ...spec.initializers!, scale: f32([2], [1, 3e38]), variance: f32([2], [1, 0]) },
        },
        /does not fit float32/,
      ));

    it.each([
      ['three axes', ['n', 2, 5], /has rank 3, not 2/],
      ['an unknown rank', undefined, /has an unknown rank/],
    ])('MatMul of %s', (_, dims, reason) =>
      expectRefusal(
        {
          inputs: { x: dims ? dims : { type: 'float32' } },
          outputs: ['y'],
          initializers: { w: f32([5, 2]), ...batchNorm(1, 2) },
          nodes: [node('MatMul', ['x', 'w'], ['m']), bn('m', 'y')],
        },
        feed({ x: [3, 2, 5] }),
        'conv-bn',
        'n_y',
        reason,
      ),
    );
  });
});

function halvesOf({ data }: Constant): number[] {
  return Array.from(data as Uint16Array, (bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  });
}

/** |gain| ≤ 3 and |shift| ≤ 4 on the inputs of a dot product: magnitudes up to M = 8·(terms + 1). */
const forwardTolerance = (terms: number): number => 2 * (terms + 8) * unit * 8 * (terms + 1);

describe('bn-conv', () => {
  it('folds where no padding and no border reads the shift, and else says why not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ layer: layers, bias: fc.boolean(), shifts: fc.boolean(), seed: fc.nat(1e6) }),
        async ({ layer, bias, shifts, seed }) => {
          const none = f32([layer.inputs], numbers(0, layer.inputs, 0, 0));
          const host = placedLayer(layer, bias, 'n', 'y');
          const spec: ModelSpec = {
            inputs: { x: layer.x },
            outputs: ['y'],
            initializers: {
              ...host.initializers,
              ...batchNorm(seed, layer.inputs),
              ...(shifts ? {} : { beta: none, mean: none }),
            },
            nodes: [bn('x', 'n'), host.node],
          };
          const feeds = feed({ x: layer.x });
          const reason = shifts ? shiftObstacle(layer) : undefined;
          if (reason) {
            await expectRefusal(spec, feeds, 'bn-conv', 'n_n', reason);
            return;
          }
          const { ops, log, model } = await fuseChecked(spec, feeds, forwardTolerance(layer.terms));
          expect(ops).toEqual([layer.opType]);
          expect(log.applied[0]).toEqual({ pass: 'bn-conv', nodes: ['n_n', 'n_y'], into: 'n_y' });
          expect([...model.graph.nodes()][0]!.inputs).toHaveLength(bias || shifts ? 3 : 2);
        },
      ),
      { numRuns: 60 },
    );
  });

  const x = [1, 2, 4, 4];
  const feeds = feed({ x });
  const conv = (input: string, output: string, attributes = {}) => node('Conv', [input, 'w'], [output], attributes);
  const base: ModelSpec = {
    inputs: { x },
    outputs: ['y', 'z'],
    initializers: { w: f32([2, 2, 3, 3]), ...batchNorm(7, 2) },
    nodes: [bn('x', 'n'), conv('n', 'y'), conv('n', 'z', { auto_pad: 'VALID', dilations: [1, 1] })],
  };

  it('folds into every layer that reads the result, each with a weight of its own', async () => {
    const { ops, model } = await fuseChecked(base, feeds, forwardTolerance(18));
    expect(ops).toEqual(['Conv', 'Conv']);
    const [first, second] = [...model.graph.nodes()].map((each) => each.input(1)!.initializer!.floats());
    expect(first).toEqual(second);
  });

  it('folds into the layer before rather than into the one behind', async () => {
    const nodes = [conv('x', 'a'), bn('a', 'n'), node('Conv', ['n', 'v'], ['y'], { pads: [1, 1, 1, 1] })];
    const initializers = { ...base.initializers!, v: f32([2, 2, 3, 3]) };
    const { log } = await fuseChecked({ ...base, nodes, initializers, outputs: ['y'] }, feeds, forwardTolerance(200));
    expect(log.applied.map((each) => each.pass)).toEqual(['conv-bn']);
  });

  it('folds into MatMul of a matrix, which becomes Gemm', async () => {
    const spec: ModelSpec = {
      inputs: { x: [3, 2] },
      outputs: ['y'],
      initializers: { w: f32([2, 4]), ...batchNorm(7, 2) },
      nodes: [bn('x', 'n'), node('MatMul', ['n', 'w'], ['y'])],
    };
    expect((await fuseChecked(spec, feed({ x: [3, 2] }), forwardTolerance(2))).ops).toEqual(['Gemm']);
    const cube = { ...spec, inputs: { x: [3, 2, 2] } };
    await expectRefusal(cube, feed({ x: [3, 2, 2] }), 'bn-conv', 'n_n', /has rank 3, not 2/);
  });

  it('takes auto_pad SAME for padding, unless the kernel has one tap', async () => {
    const same = (weight: number[]): ModelSpec => ({
      ...base,
      outputs: ['y'],
      initializers: { ...base.initializers!, w: f32(weight) },
      nodes: [bn('x', 'n'), conv('n', 'y', { auto_pad: 'SAME_UPPER' })],
    });
    await expectRefusal(same([2, 2, 3, 3]), feeds, 'bn-conv', 'n_n', /pads its input/);
    expect((await fuseChecked(same([2, 2, 1, 1]), feeds, forwardTolerance(2))).ops).toEqual(['Conv']);
  });

  describe('leaves alone, with a reason,', () => {
    const refused = (change: Partial<ModelSpec>, reason: RegExp): Promise<void> =>
      expectRefusal({ ...base, ...change }, feeds, 'bn-conv', 'n_n', reason);

    it('a result that is a graph output', () => refused({ outputs: ['y', 'z', 'n'] }, /'n' is a graph output/));

    it('a result that another node reads', () =>
      refused(
        { nodes: [...base.nodes, node('Relu', ['n'], ['r'])], outputs: ['y', 'z', 'r'] },
        /also read by Relu 'n_r'/,
      ));

    it('all of it when one of the layers is padded', () =>
      refused(
        { nodes: [bn('x', 'n'), conv('n', 'y'), conv('n', 'z', { pads: [1, 1, 1, 1] })] },
        /'n_z' pads its input/,
      ));
  });
});

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
