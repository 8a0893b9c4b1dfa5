import { describe, expect, it } from 'vitest';
import { f32, i64, type DimSpec, type ModelSpec } from '../support/build.ts';
import { Expression, wide } from './expression.ts';
import { fuseChecked, unit, expectRefusal, type Feeds } from './fuse.ts';
import fc from 'fast-check';

interface LayerChoice {
  readonly opset: number;
  readonly dims: readonly number[];
  /** Number of normalized axes. */
  readonly count: number;
  /** Axes counted from the end. */
  readonly negative: boolean;
  /** x - mean(x) once for the variance and once for the quotient. */
  readonly twice: boolean;
  readonly square: 'Pow' | 'Mul';
  readonly quotient: 'Div' | 'Reciprocal' | 'Div 1' | 'Pow';
  readonly scale: boolean;
  readonly bias: boolean;
  readonly swaps: readonly boolean[];
}

const plainLayer: LayerChoice = {
  opset: 17,
  dims: [2, 3, 8],
  count: 1,
  negative: true,
  twice: false,
  square: 'Pow',
  quotient: 'Div',
  scale: true,
  bias: true,
  swaps: [false],
};

/** The usual form, with the variance's mean as n_v and the quotient as n_q (or n_y, if nothing follows). */
function layerNorm(choice: LayerChoice, more: Partial<ModelSpec> = {}, axes?: readonly number[]): ModelSpec {
  const { opset, dims, count, negative, square, quotient, scale, bias } = choice;
  const e = new Expression(choice.swaps);
  const last = axes ?? Array.from({ length: count }, (_, i) => dims.length - count + i - (negative ? dims.length : 0));
  const mean = (value: string, output?: string): string => {
    if (opset < 18) return e.op('ReduceMean', [value], output, { axes: last, keepdims: 1 });
    e.initializers['axes'] = i64(last);
    return e.op('ReduceMean', [value, 'axes'], output, { keepdims: 1 });
  };
  const center = (): string => e.op('Sub', ['x', mean('x')]);
  const d = center();
  const base = choice.twice ? center() : d;
  const variance = mean(square === 'Pow' ? e.op('Pow', [base, 2]) : e.op('Mul', [base, base]), 'v');
  const sum = e.op('Add', [variance, 1e-3]);
  const q = scale || bias ? 'q' : 'y';
  if (quotient === 'Div') e.op('Div', [d, e.op('Sqrt', [sum])], q);
  else if (quotient === 'Reciprocal') e.op('Mul', [d, e.op('Reciprocal', [e.op('Sqrt', [sum])])], q);
  else if (quotient === 'Div 1') e.op('Mul', [d, e.op('Div', [1, e.op('Sqrt', [sum])])], q);
  else e.op('Mul', [d, e.op('Pow', [sum, -0.5])], q);
  const shape = dims.slice(-count);
  if (scale) {
    e.initializers['gain'] = f32(shape);
    e.op('Mul', [q, 'gain'], bias ? 'w' : 'y');
  }
  if (bias) {
    e.initializers['offset'] = f32(shape);
    e.op('Add', [scale ? 'w' : q, 'offset'], 'y');
  }
  const { nodes, initializers } = e;
  const spec: ModelSpec = { opset, inputs: { x: dims }, outputs: ['y'], nodes, initializers };
  return { ...spec, ...more, initializers: { ...initializers, ...more.initializers } };
}

const layerInput = wide(plainLayer.dims, 4);

/** 2^-20 · (1 + |m|/s) · √n: no result is beyond √n, plus 1 for a bias. */
function boundOf(feeds: Feeds, { dims, count, bias }: LayerChoice): number {
  const data = feeds['x']!.data as Float32Array;
  const n = dims.slice(-count).reduce((a, b) => a * b);
  let worst = 0;
  for (let start = 0; start < data.length; start += n) {
    const row = [...data.subarray(start, start + n)];
    const mean = row.reduce((a, b) => a + b) / n;
    const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n + 1e-3);
    worst = Math.max(worst, Math.abs(mean) / deviation);
  }
  return 16 * unit * (1 + worst) * (Math.sqrt(n) + (bias ? 1 : 0));
}

describe('layer-norm', () => {
  it('is found over the last axes, however mean, square and quotient are written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          opset: fc.constantFrom(17, 18, 21),
          dims: fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 2, maxLength: 4 }),
          count: fc.integer({ min: 1, max: 2 }),
          negative: fc.boolean(),
          twice: fc.boolean(),
          square: fc.constantFrom('Pow' as const, 'Mul' as const),
          quotient: fc.constantFrom('Div' as const, 'Reciprocal' as const, 'Div 1' as const, 'Pow' as const),
          scale: fc.boolean(),
          bias: fc.boolean(),
          swaps: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        }),
        async (choice) => {
          const feeds = wide(choice.dims, 4);
          const bound = boundOf(feeds, choice);
          // Without scale and bias it is an instance that is normalized, where there is one axis more for channels.
          const { ops, model } = await fuseChecked(layerNorm(choice), feeds, bound, ['instance-norm']);
          expect(ops).toEqual(['LayerNormalization']);
          const [node] = [...model.graph.nodes()];
          expect(node!.int('axis')).toBe(-choice.count);
          expect(node!.float('epsilon')).toBeCloseTo(1e-3, 8);
          expect(node!.inputs).toHaveLength(choice.bias ? 3 : 2);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves a Mul and an Add of computed values behind it', async () => {
    const spec = layerNorm({ ...plainLayer, scale: false, bias: false });
    const e = new Expression();
    e.op('Mul', ['y', 'z'], 'out');
    const adaptive = {
      ...spec,
      inputs: { x: plainLayer.dims, z: plainLayer.dims },
      outputs: ['out'],
      nodes: [...spec.nodes, ...e.nodes],
    };
    const { ops } = await fuseChecked(
      adaptive,
      { ...layerInput, z: layerInput['x']! },
      boundOf(layerInput, plainLayer) * 4,
    );
    expect(ops).toEqual(['LayerNormalization', 'Mul']);
  });

  it('needs no rank when its axes are counted from the end', async () => {
    const unranked = layerNorm(plainLayer, { inputs: { x: { type: 'float32' } } });
    expect((await fuseChecked(unranked, layerInput, boundOf(layerInput, plainLayer))).ops).toEqual([
      'LayerNormalization',
    ]);
    const positive = layerNorm({ ...plainLayer, negative: false }, { inputs: { x: { type: 'float32' } } });
    await expectRefusal(positive, layerInput, 'layer-norm', 'n_q', /the rank of 'x' is not known/);
  });

  it.each<[string, ModelSpec, RegExp]>([
    [
      'below opset 17',
      layerNorm({ ...plainLayer, opset: 13 }),
      /^LayerNormalization needs opset 17, the model is opset 13$/,
    ],
    ['over axes that are not the last', layerNorm(plainLayer, {}, [1]), /its axes \[1\] are not the last ones/],
    [
      'over the last axis but one and before',
      layerNorm(plainLayer, {}, [-2, -3]),
      /its axes \[-2, -3\] are not the last ones/,
    ],
    [
      'with a scale of another shape',
      layerNorm(plainLayer, { initializers: { gain: f32([3, 1]) } }),
      /'gain' has shape \[3, 1\], not that of the normalized axes/,
    ],
    [
      'with a bias of one element',
      layerNorm(plainLayer, { initializers: { offset: f32([1]) } }),
      /'offset' has shape \[1\], not that of the normalized axes/,
    ],
    [
      'without a scale whose length is known',
      layerNorm({ ...plainLayer, scale: false, bias: false }, { inputs: { x: [2, 3, 'n'] } }),
      /it has no scale, and the length of the normalized axes of 'x' is not known/,
    ],
    [
      'when its variance is a graph output',
      layerNorm(plainLayer, { outputs: ['y', 'v'] }),
      /'v', the result of 'n_v', is a graph output/,
    ],
  ])('refuses %s', (_, model, reason) => {
    const label = model.nodes.some((node) => node.name === 'n_q') ? 'n_q' : 'n_y';
    // What it refuses for want of a length is normalized as an instance.
    return expectRefusal(model, layerInput, 'layer-norm', label, reason, ['instance-norm']);
  });

  it('refuses means over different axes', () => {
    const e = new Expression();
    const mean = (value: string, axis: number): string => e.op('ReduceMean', [value], undefined, { axes: [axis] });
    const d = e.op('Sub', ['x', mean('x', 1)]);
    e.op('Div', [d, e.op('Sqrt', [e.op('Add', [mean(e.op('Pow', [d, 2]), -1), 1e-3])])], 'y');
    const { nodes, initializers } = e;
    const model: ModelSpec = { inputs: { x: plainLayer.dims }, outputs: ['y'], nodes, initializers };
    return expectRefusal(
      model,
      layerInput,
      'layer-norm',
      'n_y',
      /its mean is over axes \[1\], its variance over \[-1\]/,
    );
  });
});

interface RmsChoice {
  readonly dims: readonly number[];
  readonly square: 'Pow' | 'Mul';
  readonly quotient: 'Div' | 'Reciprocal' | 'Pow';
  readonly scale: boolean;
  readonly swaps: readonly boolean[];
}

const plainRms: RmsChoice = { dims: [2, 8], square: 'Pow', quotient: 'Reciprocal', scale: true, swaps: [false] };

function rmsNorm(
  { dims, square, quotient, scale, swaps }: RmsChoice,
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

const rmsInput = wide(plainRms.dims, 4);

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
    ['below opset 23', rmsNorm(plainRms, { opset: 20 }), /^RMSNormalization needs opset 23, the model is opset 20$/],
    ['over the first axis', rmsNorm(plainRms, {}, 0), /its axes \[0\] are not the last ones/],
    [
      'when its mean is a graph output',
      rmsNorm(plainRms, { outputs: ['y', 'm'] }),
      /'m', the result of 'n_m', is a graph output/,
    ],
  ])('refuses %s', (_, model, reason) => expectRefusal(model, rmsInput, 'rms-norm', 'n_q', reason));
});

interface InstanceChoice {
  readonly dims: readonly DimSpec[];
  readonly axes: readonly number[];
  /** Of a constant that scales the quotient. */
  readonly scale?: readonly number[];
  /** The mean is an output of the model too. */
  readonly shown?: boolean;
}

function written({ dims, axes, scale, shown }: InstanceChoice): ModelSpec {
  const e = new Expression([false]);
  e.initializers['axes'] = i64(axes);
  const mean = e.op('ReduceMean', ['x', 'axes'], 'm', { keepdims: 1 });
  const centered = e.op('Sub', ['x', mean]);
  const variance = e.op('ReduceMean', [e.op('Pow', [centered, 2]), 'axes'], undefined, { keepdims: 1 });
  e.op('Div', [centered, e.op('Sqrt', [e.op('Add', [variance, 1e-3])])], scale ? 'q' : 'y');
  if (scale) {
    e.initializers['gain'] = f32(scale);
    e.op('Mul', ['q', 'gain'], 'y');
  }
  const { nodes, initializers } = e;
  return { opset: 18, inputs: { x: dims }, outputs: shown ? ['y', 'm'] : ['y'], nodes, initializers };
}

const feeds = wide([2, 3, 4, 5, 2], 4);
const five: InstanceChoice = { dims: ['n', 3, 'c', 'h', 'w'], axes: [2, 3, 4] };
const run = async (choice: InstanceChoice, input = feeds) =>
  // A row holds 40 elements of magnitudes up to 4 about a mean up to 4: results of at most √40.
  fuseChecked(written(choice), input, 2 ** 6 * unit * Math.sqrt(40));

describe('instance-norm', () => {
  it.each([
    ['of groups (GroupNorm between its Reshapes)', five],
    ['axes from the end', { ...five, axes: [-1, -3, -2] }],
  ])('%s', async (_, choice) => {
    const { ops, model } = await run(choice);
    expect(ops).toEqual(['InstanceNormalization']);
    const [node] = [...model.graph.nodes()];
    expect(node!.float('epsilon')).toBeCloseTo(1e-3, 9);
    expect([node!.constant(1)!.dims, node!.constant(2)!.dims]).toEqual([[3], [3]]);
  });

  it('of images, with a factor per channel behind it', async () => {
    const { ops } = await run({ dims: ['n', 3, 'h', 'w'], axes: [2, 3], scale: [3, 1, 1] }, wide([2, 3, 4, 10], 4));
    expect(ops).toEqual(['InstanceNormalization', 'Mul']);
  });

  it('of a last axis whose length only a run knows', async () => {
    expect((await run({ dims: ['n', 3, 't'], axes: [2] }, wide([2, 3, 40], 4))).ops).toEqual(['InstanceNormalization']);
  });

  it.each([
    ['a last axis of known length', { dims: ['n', 3, 40], axes: [2] }, [2, 3, 40], ['LayerNormalization']],
    [
      'a scale over the normalized axes',
      { dims: ['n', 3, 4, 10], axes: [2, 3], scale: [4, 10] },
      [2, 3, 4, 10],
      ['LayerNormalization', 'Mul'],
    ],
  ] as const)('leaves to layer-norm %s', async (_, choice, dims, ops) => {
    const fused = await run(choice, wide(dims, 4));
    expect(ops).toContain(fused.ops[0]);
    expect(fused.ops).not.toContain('InstanceNormalization');
  });

  it.each([
    ['other axes', { ...five, axes: [1, 2, 3, 4] }],
    ['an unknown number of channels', { ...five, dims: ['n', 'g', 'c', 'h', 'w'] }],
    ['a mean that others read', { ...five, shown: true }],
  ])('leaves %s', async (_, choice) => {
    expect((await run(choice)).ops).not.toContain('InstanceNormalization');
  });
});
