/** Unrolled recurrent layers: outputs equal to those of onnxruntime's own kernels, gradients equal to differences of these. */
import { describe, expect, it } from 'vitest';
import { createExecutor, openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { gatherParameters } from '../../src/qat/parameters.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { buildTrainingGraph, parameterFeeds } from '../../src/qat/training-graph.ts';
import { unrollRecurrent } from '../../src/qat/unroll.ts';
import { uniform, type GradientCase, type Input } from '../ops/gradients/case.ts';
import { checkGradients, feedsOf, modelOf, type Feeds } from '../ops/gradients/check.ts';
import { buildModel, constant, f32, float, i64, node, type AttributeSpec, type Constant } from '../support/build.ts';

const [steps, batch, features, hidden] = [3, 2, 3, 2];

interface Variant {
  readonly type: 'LSTM' | 'GRU' | 'RNN';
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
  /** Optional inputs beside X, W and R. */
  readonly with?: readonly ('b' | 'lengths' | 'h' | 'c' | 'p')[];
  readonly outputs?: readonly string[];
  readonly lengths?: readonly number[];
  readonly spread?: number;
}

function caseOf({
  type,
  attributes = {},
  with: extra = [],
  outputs = ['y'],
  lengths = [3, 2],
  spread = 1,
}: Variant): GradientCase {
  const ways = attributes['direction'] === 'bidirectional' ? 2 : 1;
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[type] * hidden;
  const optional: Record<string, Input> = {
    b: uniform([ways, 2 * gates], -0.5, 0.5),
    h: uniform([ways, batch, hidden]),
    c: uniform([ways, batch, hidden], -spread, 0.9 * spread),
    p: uniform([ways, 3 * hidden], -0.9, 1),
  };
  const inputs: Record<string, Input> = {
    x: uniform([steps, batch, features], -spread, spread),
    w: uniform([ways, gates, features], -spread, spread),
    r: uniform([ways, gates, hidden], -spread, spread),
    ...Object.fromEntries(extra.filter((name) => name !== 'lengths').map((name) => [name, optional[name]!])),
  };
  const initializers: Record<string, Constant> = extra.includes('lengths')
    ? { lengths: constant('int32', [batch], lengths) }
    : {};
  const order = ['b', 'lengths', 'h', 'c', 'p'] as const;
  const names = ['x', 'w', 'r', ...order.map((name) => (extra.includes(name) ? name : ''))];
  while (names.at(-1) === '') names.pop();
  return {
    nodes: [node(type, names, outputs, { hidden_size: hidden, ...attributes })],
    inputs,
    initializers,
    outputs: outputs.filter((name) => name !== ''),
    step: 2 ** -5,
  };
}

const all = ['y', 'yh', 'yc'];
const variants: Record<string, Variant> = {
  LSTM: { type: 'LSTM', with: ['b'], outputs: all },
  'LSTM without bias': { type: 'LSTM' },
  'LSTM reverse with initial states': {
    type: 'LSTM',
    attributes: { direction: 'reverse' },
    with: ['b', 'h', 'c'],
    outputs: all,
  },
  'LSTM bidirectional': {
    type: 'LSTM',
    attributes: { direction: 'bidirectional' },
    with: ['b', 'h', 'c', 'p'],
    outputs: all,
  },
  'LSTM with peepholes': { type: 'LSTM', with: ['b', 'p'] },
  'LSTM with lengths': { type: 'LSTM', with: ['b', 'lengths', 'h', 'c'], outputs: all },
  'LSTM bidirectional with lengths': {
    type: 'LSTM',
    attributes: { direction: 'bidirectional' },
    with: ['b', 'lengths'],
    outputs: all,
  },
  'LSTM of its last state only': { type: 'LSTM', with: ['b'], outputs: ['', 'yh'] },
  'LSTM with other activations': {
    type: 'LSTM',
    attributes: { activations: ['Tanh', 'Sigmoid', 'Tanh'] },
    with: ['b'],
  },
  GRU: { type: 'GRU', with: ['b'], outputs: ['y', 'yh'] },
  'GRU with the product reset': {
    type: 'GRU',
    attributes: { linear_before_reset: 1 },
    with: ['b', 'h'],
    outputs: ['y', 'yh'],
  },
  'GRU bidirectional with lengths': {
    type: 'GRU',
    attributes: { direction: 'bidirectional', linear_before_reset: 1 },
    with: ['b', 'lengths', 'h'],
    outputs: ['y', 'yh'],
  },
  'GRU reverse without bias': { type: 'GRU', attributes: { direction: 'reverse' } },
  RNN: { type: 'RNN', with: ['b', 'h'], outputs: ['y', 'yh'] },
};

/** At a bound of the clip there is no gradient to measure. */
const clipped: Record<string, Variant> = {
  LSTM: { type: 'LSTM', attributes: { clip: float(0.25) }, with: ['b', 'h', 'c'], outputs: all },
  'LSTM with peepholes': { type: 'LSTM', attributes: { clip: float(0.25) }, with: ['b', 'c', 'p'], outputs: all },
  GRU: { type: 'GRU', attributes: { clip: float(0.25) }, with: ['b', 'h'], outputs: ['y', 'yh'] },
  RNN: { type: 'RNN', attributes: { clip: float(0.25) }, with: ['b', 'h'], outputs: ['y', 'yh'] },
};

async function outputsOf(model: Model, feeds: Feeds): Promise<Feeds> {
  const session = await openSession(model, { level: 'basic' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

describe('unrolled recurrent layers', () => {
  it.each(Object.entries(variants))('%s', async (_, variant) => {
    const each = caseOf(variant);
    const feeds = feedsOf(each.inputs);
    const model = modelOf(each);
    await traceShapes(model, feeds);
    expect(unrollRecurrent(model)).toHaveLength(1);
    checkModel(model);
    const [expected, actual] = [await outputsOf(modelOf(each), feeds), await outputsOf(model, feeds)];
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, { dims, data }] of Object.entries(expected)) {
      expect(actual[name]!.dims).toEqual(dims);
      // Three steps of sigmoids that onnxruntime approximates to some 1e-7 each.
      data.forEach((value, i) => expect(Math.abs(Number(actual[name]!.data[i]) - Number(value))).toBeLessThan(2e-6));
    }
    await checkGradients(each, unrollRecurrent);
  });

  it.each(Object.entries(clipped))('%s clips what goes into its gates as onnxruntime does', async (_, variant) => {
    const each = caseOf({ ...variant, spread: 4 });
    const feeds = feedsOf(each.inputs);
    const model = modelOf(each);
    await traceShapes(model, feeds);
    unrollRecurrent(model);
    const [expected, actual] = [await outputsOf(modelOf(each), feeds), await outputsOf(model, feeds)];
    for (const [name, { data }] of Object.entries(expected))
      data.forEach((value, i) => expect(Math.abs(Number(actual[name]!.data[i]) - Number(value))).toBeLessThan(2e-6));
  });

  it.each([
    [
      'the activation ThresholdedRelu',
      { activations: ['ThresholdedRelu', 'Tanh', 'Tanh'] },
      /its activation ThresholdedRelu/,
    ],
    ['coupled gates', { input_forget: 1 }, /coupled/],
  ])('are refused for %s', async (_, attributes, message) => {
    const each = caseOf({ type: 'LSTM', attributes });
    const model = modelOf(each);
    await traceShapes(model, feedsOf(each.inputs));
    expect(() => unrollRecurrent(model)).toThrow(message);
  });
});

/** Training graphs of models with Resize and recurrent layers: what is learned, and that every gradient is there. */
describe('a training graph with recurrent layers', () => {
  it('trains through Resize, LSTM and LayerNormalization', async () => {
    const batch = 3;
    const model = buildModel({
      opset: 18,
      inputs: { x: [batch, 1, 4, 3] },
      outputs: { y: [batch, 2] },
      nodes: [
        node('Conv', ['x', 'k'], ['c']),
        node('Resize', ['c', '', 'scales'], ['r'], { mode: 'linear' }),
        node('Reshape', ['r', 'rows'], ['s']),
        node('Transpose', ['s'], ['t'], { perm: [1, 0, 2] }),
        node('LSTM', ['t', 'w', 'rec', 'b'], ['', 'h'], { hidden_size: 4 }),
        node('Reshape', ['h', 'flat'], ['f']),
        node('LayerNormalization', ['f', 'gain', 'shift'], ['n']),
        node('Gemm', ['n', 'm'], ['y']),
      ],
      initializers: {
        ...{
          k: f32([1, 1, 1, 1], [0.8]),
          scales: f32([4], [1, 1, 2, 1]),
          rows: i64([batch, 8, 3]),
          flat: i64([batch, 4]),
        },
        ...{
          w: f32([1, 16, 3]),
          rec: f32([1, 16, 4]),
          b: f32([1, 32]),
          gain: f32([4]),
          shift: f32([4]),
          m: f32([4, 2]),
        },
      },
    });
    const feeds = feedsOf({ x: uniform([batch, 1, 4, 3]) });
    const terms = [{ loss: 'kl', weight: 1, temperature: 1 }];
    const training = await buildTrainingGraph(model, terms, feeds, batch, traceShapes, createExecutor());
    expect(training.parameters.map(({ name }) => name).sort()).toEqual(['b', 'gain', 'k', 'm', 'rec', 'shift', 'w']);
    const session = await openSession(training.model, { level: 'basic' });
    const flat = gatherParameters(model, training.parameters);
    const teacher = feedsOf({ [training.teacher.get('y')!]: uniform([batch, 2]) });
    const results = await session.run({ ...feeds, ...teacher, ...parameterFeeds(training.parameters, flat) });
    await session.dispose();
    training.gradients.forEach((name, i) => {
      expect(results[name!]!.dims).toEqual(training.parameters[i]!.dims);
      expect((results[name!]!.data as Float32Array).some((value) => Math.abs(value) > 1e-6)).toBe(true);
    });
  });
});
