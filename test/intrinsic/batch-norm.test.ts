import { describe, expect, it } from 'vitest';
import { batchNormOf } from '../../src/intrinsic/batch-norm.ts';
import { buildModel, f32, float, node, type AttributeSpec } from '../support/build.ts';

function parse(attributes: Record<string, AttributeSpec>, opset: number, outputs = ['y'], used: string[] = ['y']) {
  const model = buildModel({
    opset,
    inputs: { x: [1, 2, 3] },
    outputs: used,
    initializers: { s: f32([2], [2, 3]), b: f32([2], [5, 7]), m: f32([2], [11, 13]), v: f32([2], [3, 8]) },
    nodes: [node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], outputs, attributes)],
  });
  return batchNormOf([...model.graph.nodes()][0]!, model.opset);
}

describe('batchNormOf', () => {
  it('gives gain, mean and beta in float64', () => {
    const norm = parse({ epsilon: float(1) }, 15);
    expect(norm).toEqual({
      gain: Float64Array.of(2 / Math.sqrt(4), 3 / Math.sqrt(9)),
      mean: Float64Array.of(11, 13),
      beta: Float64Array.of(5, 7),
    });
  });

  it.each([
    ['opset 15, training_mode = 1', { training_mode: 1 }, 15, /training_mode = 1/],
    ['opset 6, is_test = 0', {}, 6, /is_test = 0/],
    ['opset 7, spatial = 0', { spatial: 0 }, 7, /spatial = 0/],
  ] as const)('refuses %s', (_, attributes, opset, reason) => expect(parse(attributes, opset)).toMatch(reason));

  it.each([
    ['opset 6, is_test = 1', { is_test: 1 }, 6],
    ['opset 7, spatial = 1', { spatial: 1 }, 7],
    ['opset 9', {}, 9],
    ['opset 14, training_mode = 0', { training_mode: 0 }, 14],
  ] as const)('accepts %s', (_, attributes, opset) => expect(parse(attributes, opset)).toHaveProperty('gain'));

  it('takes extra outputs before opset 14 for training, and since then minds only those that are read', () => {
    expect(parse({}, 9, ['y', 'mean_out', 'var_out'])).toMatch(/more than one output/);
    expect(parse({}, 14, ['y', 'mean_out', 'var_out'], ['y', 'mean_out'])).toMatch(/'mean_out' are read/);
    expect(parse({}, 14, ['y', 'mean_out', 'var_out'])).toHaveProperty('gain');
  });
});
