/** What stays float because int8 would cost too much accuracy there: spectra, normalizations that are written out, stems. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { planQuantization, type PlanRequest } from '../../src/quantizable/planner.ts';
import { buildModel, f32, i64, node, scalar, type ModelSpec } from '../support/build.ts';

/** A convolution with sines and cosines, some way to the magnitude, and a convolution that reads it. */
function frontEnd(middle: readonly NodeProto[], more: Partial<PlanRequest> = {}): Record<string, string> {
  const model = buildModel({
    inputs: { x: [1, 1, 64] },
    initializers: {
      basis: f32([8, 1, 16]),
      w: f32([4, 4, 1]),
      two: scalar('float32', 2),
      three: scalar('float32', 3),
      tiny: scalar('float32', 1e-6),
      axes: i64([1]),
      zero: i64([0]),
      four: i64([4]),
      eight: i64([8]),
    },
    nodes: [
      node('Conv', ['x', 'basis'], ['c'], {}, { name: 'stft' }),
      node('Slice', ['c', 'zero', 'four', 'axes'], ['re']),
      node('Slice', ['c', 'four', 'eight', 'axes'], ['im']),
      ...middle,
      node('Conv', ['m', 'w'], ['a'], {}, { name: 'reader' }),
      node('Conv', ['a', 'w'], ['y'], {}, { name: 'last' }),
    ],
    outputs: ['y'],
  });
  const { float } = planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme, ...more });
  return Object.fromEntries(float.filter(({ op }) => op === 'Conv').map(({ node: name, reason }) => [name, reason]));
}

const pow = (from: string, to: string, exponent = 'two') => node('Pow', [from, exponent], [to]);
const power = [pow('re', 'r2'), pow('im', 'i2'), node('Add', ['r2', 'i2'], ['p'])];
const squared = 'its result is only squared, which doubles the error that 8 bits make';
const spectrum = (name: string) =>
  `its input '${name}' is a spectrum (sum of two squares), whose magnitudes 8 bits do not resolve`;

describe('the spectral front end', () => {
  it.each([
    ['√(re² + im²)', [...power, node('Sqrt', ['p'], ['m'])]],
    [
      '√(re·re + im·im + ε)',
      [
        node('Mul', ['re', 're'], ['r2']),
        node('Mul', ['im', 'im'], ['i2']),
        node('Add', ['r2', 'i2'], ['p']),
        node('Add', ['p', 'tiny'], ['q']),
        node('Sqrt', ['q'], ['m']),
      ],
    ],
    ['re² + im², moved', [...power, node('Identity', ['p'], ['m'])]],
  ])('%s stays float on both sides', (_, middle) => {
    expect(frontEnd(middle)).toEqual({ stft: squared, reader: spectrum('m') });
  });

  it('runs in int8 when the user names it', () => {
    expect(frontEnd([...power, node('Sqrt', ['p'], ['m'])], { include: ['Conv'] })).toEqual({});
  });

  it.each([
    ['other powers', [pow('re', 'r3', 'three'), pow('im', 'i3', 'three'), node('Add', ['r3', 'i3'], ['m'])]],
    ['a logarithm', [...power, node('Log', ['p'], ['m'])], squared],
    [
      'a norm, which reads its input again',
      [pow('re', 'r2'), node('Sqrt', ['r2'], ['n']), node('Div', ['re', 'n'], ['m'])],
    ],
  ] as const)('%s is none', (_, middle, stft?: string) => {
    expect(frontEnd(middle)).toEqual(stft === undefined ? {} : { stft });
  });
});

/** Normalized over the channels of an image, as ConvNeXt and SAM write it, between two convolutions. */
function floatOps(more: Partial<PlanRequest> = {}): Record<string, string> {
  const over = { axes: [1], keepdims: 1 };
  const model = buildModel({
    inputs: { x: [1, 4, 6, 6] },
    initializers: { w: f32([4, 4, 1, 1]), two: scalar('float32', 2), tiny: scalar('float32', 1e-6) },
    nodes: [
      node('Conv', ['x', 'w'], ['a'], {}, { name: 'first' }),
      node('Conv', ['a', 'w'], ['b'], {}, { name: 'before' }),
      node('ReduceMean', ['b'], ['m'], over),
      node('Sub', ['b', 'm'], ['d'], {}, { name: 'centre' }),
      node('Pow', ['d', 'two'], ['s']),
      node('ReduceMean', ['s'], ['v'], over),
      node('Add', ['v', 'tiny'], ['e']),
      node('Sqrt', ['e'], ['r']),
      node('Div', ['d', 'r'], ['q'], {}, { name: 'quotient' }),
      node('Conv', ['q', 'w'], ['y'], {}, { name: 'last' }),
    ],
    outputs: ['y'],
  });
  const { float } = planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme, ...more });
  return Object.fromEntries(float.map(({ node: name, reason }) => [name, reason]));
}

describe('a normalization that is written out', () => {
  it('stays float as a whole between convolutions in int8', () => {
    const reason =
      "it is a part of the normalization that ends in 'quotient', and a mean and a variance need more than 8 bits";
    expect(floatOps()).toMatchObject({ centre: reason, quotient: reason });
    expect(Object.keys(floatOps())).not.toContain('last');
  });

  it('runs in int8 where the user names it', () => {
    expect(Object.keys(floatOps({ include: ['Conv', 'centre', 'quotient'] }))).not.toContain('centre');
  });
});

const patches = node('Conv', ['x', 'w'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'patches' });
const base: ModelSpec = {
  opset: 17,
  inputs: { x: [1, 3, 8, 8] },
  initializers: {
    w: f32([16, 3, 2, 2]),
    scale: f32([16]),
    bias: f32([16]),
    positions: f32([1, 16, 16]),
    m: f32([16, 16]),
    k: f32([16, 16, 1, 1]),
    rows: i64([1, 16, 16]),
  },
  outputs: ['y'],
  nodes: [
    patches,
    node('Reshape', ['c', 'rows'], ['r']),
    node('Transpose', ['r'], ['t'], { perm: [0, 2, 1] }),
    node('Add', ['t', 'positions'], ['s']),
    node('LayerNormalization', ['s', 'scale', 'bias'], ['n']),
    node('MatMul', ['n', 'm'], ['y'], {}, { name: 'product' }),
  ],
};
const plan = (spec: ModelSpec, include: string[] = []) => {
  const { scheme } = ortCpuX64;
  const { regions, float } = planQuantization(buildModel(spec), { target: ortCpuX64, scheme, include, exclude: [] });
  return { int8: regions.map((region) => region.node), reason: float.find((each) => each.node === 'patches')?.reason };
};

describe('the stem of a float stream', () => {
  it('stays float before a normalization, through what only follows, and says why', () => {
    expect(plan(base)).toEqual({ int8: ['product'], reason: expect.stringContaining('a float stream begins') });
  });

  it('is int8 where the user names it, or where nothing else would be', () => {
    expect(plan(base, ['Conv', 'MatMul']).int8).toContain('patches');
    expect(plan({ ...base, nodes: base.nodes.slice(0, -1), outputs: ['n'] }).int8).toEqual(['patches']);
  });

  it('is int8 where another convolution reads it, too', () => {
    const both = [...base.nodes, node('Conv', ['c', 'k'], ['z'], {}, { name: 'second' })];
    expect(plan({ ...base, nodes: both, outputs: ['y', 'z'] }).int8).toContain('patches');
  });
});
