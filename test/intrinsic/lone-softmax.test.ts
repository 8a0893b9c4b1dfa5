import { describe, expect, it } from 'vitest';
import { node, scalar, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked } from './fuse.ts';

const feeds = feed({ x: [2, 1, 3] });
const spec = (inner: ModelSpec['nodes'][number], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 1, 3] },
  outputs: ['y'],
  nodes: [inner, node('Add', ['s', 'x'], ['y'])],
  ...more,
});

describe('lone-softmax', () => {
  it.each([
    ['Softmax over an axis of one', spec(node('Softmax', ['x'], ['s'], { axis: 1 })), true],
    ['LogSoftmax too', spec(node('LogSoftmax', ['x'], ['s'], { axis: -2 })), true],
    ['a free batch', spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { inputs: { x: ['n', 1, 3] } }), true],
    ['not over several', spec(node('Softmax', ['x'], ['s'], { axis: -1 })), false],
    [
      'not over an axis that is free',
      spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { inputs: { x: [2, 'n', 3] } }),
      false,
    ],
    [
      'not where all axes behind are one with it',
      spec(node('Softmax', ['x'], ['s'], { axis: 1 }), { opset: 11 }),
      false,
    ],
  ])('%s', async (_, model, folds) => {
    const { ops } = await fuseChecked(model, feeds, 0, [], 1);
    expect(ops.some((type) => type.endsWith('Softmax'))).toBe(!folds);
  });

  it('stays where infinity comes in on purpose: it makes NaN', async () => {
    const model = spec(node('Softmax', ['m'], ['s'], { axis: 1 }), {
      initializers: { low: scalar('float32', -Infinity), zero: scalar('float32', 0) },
    });
    const nodes = [node('Greater', ['x', 'zero'], ['g']), node('Where', ['g', 'x', 'low'], ['m']), ...model.nodes];
    await expectRefusal({ ...model, nodes }, feeds, 'lone-softmax', 'n_s', /holds infinity from constant 'low'/);
  });
});
