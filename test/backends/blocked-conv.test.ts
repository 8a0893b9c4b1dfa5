/** Convolutions with run-time weights in blocks: the numbers of the plain kernel, and only where blocks fit. */
import { describe, expect, it } from 'vitest';
import { blockConvolutions, blockSize } from '../../src/backends/blocked-conv.ts';
import { openSession } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { Model } from '../../src/graph/model.ts';
import { buildModel, f32, node, type AttributeSpec, type ModelSpec } from '../support/build.ts';
import { uniform } from '../ops/gradients/case.ts';
import { feedsOf, type Feeds } from '../ops/gradients/check.ts';

const inputs = { x: uniform([2, 32, 7, 8]), w: uniform([48, 32, 3, 2]), b: uniform([48]) };

const spec = (attributes: Readonly<Record<string, AttributeSpec>>, names = ['x', 'w', 'b']): ModelSpec => ({
  inputs: { x: [2, 32, 7, 8], w: [48, 32, 3, 2], b: [48] },
  outputs: ['z'],
  nodes: [node('Conv', names, ['y'], attributes), node('Relu', ['y'], ['z'])],
});

async function run(model: Model, feeds: Feeds): Promise<Float32Array> {
  const session = await openSession(model, { level: 'basic' });
  try {
    return (await session.run(feeds))['z']!.data as Float32Array;
  } finally {
    await session.dispose();
  }
}

async function agree(each: ModelSpec, feeds: Feeds, count = 1): Promise<void> {
  const model = buildModel(each);
  const block = await blockSize();
  expect(blockConvolutions(model, block)).toBe(block === undefined ? 0 : count);
  checkModel(model);
  const [expected, actual] = [await run(buildModel(each), feeds), await run(model, feeds)];
  // 192 products of numbers below 1 in another order: some 192 roundings of sums up to 10 at the very most.
  expected.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-4));
  expect(expected.some((value) => value > 1)).toBe(true);
}

describe('blocked convolutions', () => {
  it.each<[string, Readonly<Record<string, AttributeSpec>>, string[]?]>([
    ['without padding', {}],
    ['without bias', {}, ['x', 'w']],
    ['with asymmetric padding', { pads: [1, 0, 2, 1] }],
    ['of strides 2 and 1', { strides: [2, 1], pads: [1, 1, 1, 1] }],
    ['with dilation', { dilations: [2, 3] }],
    ['SAME_UPPER', { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
  ])('%s agree with the plain kernel', async (_, attributes, names) => {
    await agree(spec(attributes, names), feedsOf(inputs));
  });

  it('share one reordered input', async () => {
    const two: ModelSpec = {
      ...spec({}),
      nodes: [node('Conv', ['x', 'w', 'b'], ['y']), node('Conv', ['x', 'w'], ['y2']), node('Add', ['y', 'y2'], ['z'])],
    };
    await agree(two, feedsOf(inputs), 2);
    const model = buildModel(two);
    const rewritten = blockConvolutions(model, 16);
    expect(rewritten).toBe(2);
    expect([...model.graph.nodes()].filter(({ opType }) => opType === 'ReorderInput')).toHaveLength(1);
  });

  it('keep the name of a graph output', async () => {
    const output: ModelSpec = { ...spec({}), nodes: [node('Conv', ['x', 'w', 'b'], ['z'])] };
    await agree(output, feedsOf(inputs));
  });

  it.each<[string, ModelSpec]>([
    [
      'constant weights',
      { ...spec({}), inputs: { x: [2, 32, 7, 8], b: [48] }, initializers: { w: f32([48, 32, 3, 2]) } },
    ],
    ['groups', { ...spec({ group: 2 }), inputs: { x: [2, 64, 7, 8], w: [48, 32, 3, 2], b: [48] } }],
    ['channels that do not fill a block', { ...spec({}), inputs: { x: [2, 3, 7, 8], w: [48, 3, 3, 2], b: [48] } }],
    ['kernels of one element', { ...spec({}), inputs: { x: [2, 32, 7, 8], w: [48, 32, 1, 1], b: [48] } }],
    ['one dimension', { ...spec({}), inputs: { x: [2, 32, 7], w: [48, 32, 3], b: [48] } }],
    ['weights of unknown shape', { ...spec({}), inputs: { x: [2, 32, 7, 8], w: [48, 32, 'h', 'w'], b: [48] } }],
  ])('leave %s alone', (_, each) => {
    expect(blockConvolutions(buildModel(each), 16)).toBe(0);
  });

  it('leave everything alone where no block size gives right numbers', () => {
    expect(blockConvolutions(buildModel(spec({})), undefined)).toBe(0);
  });
});
