import { describe, expect, it } from 'vitest';
import { batchAxis } from '../../src/ops/batch-axis.ts';
import { buildModel, f32, i64, node, type ModelSpec } from '../support/build.ts';

const of = (spec: Omit<ModelSpec, 'outputs'>, outputs = ['y']): number | undefined =>
  batchAxis(buildModel({ ...spec, outputs }).graph.inputs[0]!);

const lstm = (x: string, more: object = {}) => node('LSTM', [x, 'w', 'r'], ['y'], { hidden_size: 4, ...more });
const weights = { w: f32([1, 16, 3]), r: f32([1, 16, 4]) };

describe('the batch axis of an input', () => {
  it.each<[string, Omit<ModelSpec, 'outputs'>, number | undefined]>([
    [
      'is the first of a convolution',
      { inputs: { x: [4, 2, 8, 8] }, initializers: { w: f32([2, 2, 3, 3]) }, nodes: [node('Conv', ['x', 'w'], ['y'])] },
      0,
    ],
    ['is the second of a recurrent net', { inputs: { x: [6, 4, 3] }, initializers: weights, nodes: [lstm('x')] }, 1],
    [
      'is the first of one in the other layout',
      { inputs: { x: [4, 6, 3] }, initializers: weights, nodes: [lstm('x', { layout: 1 })] },
      0,
    ],
    [
      'goes through Transpose',
      {
        inputs: { x: [4, 6, 3] },
        initializers: weights,
        nodes: [node('Transpose', ['x'], ['t'], { perm: [1, 0, 2] }), lstm('t')],
      },
      0,
    ],
    [
      'goes through projections and activations',
      {
        inputs: { x: [6, 4, 5] },
        initializers: { ...weights, p: f32([5, 3]), b: f32([3]) },
        nodes: [
          node('MatMul', ['x', 'p'], ['m']),
          node('Add', ['m', 'b'], ['a']),
          node('Relu', ['a'], ['c']),
          lstm('c'),
        ],
      },
      1,
    ],
    [
      'goes through a table',
      {
        inputs: { x: { type: 'int64', dims: [6, 4] } },
        initializers: { ...weights, t: f32([9, 3]) },
        nodes: [node('Gather', ['t', 'x'], ['e']), lstm('e')],
      },
      1,
    ],
    [
      'goes through axes that come and go',
      {
        inputs: { x: [6, 4] },
        initializers: { ...weights, a: i64([0, 3]), b: i64([0]), w: f32([1, 16, 1]) },
        nodes: [node('Unsqueeze', ['x', 'a'], ['u']), node('Squeeze', ['u', 'b'], ['s']), lstm('s')],
      },
      1,
    ],
    [
      'of a state is the second, of its half too',
      {
        inputs: { x: [2, 4, 4], z: [6, 4, 3] },
        initializers: { ...weights, s: i64([1, 1]) },
        nodes: [
          node('Split', ['x', 's'], ['h', 'c'], { axis: 0 }),
          node('LSTM', ['z', 'w', 'r', '', '', 'h', 'c'], ['y'], { hidden_size: 4 }),
        ],
      },
      1,
    ],
    [
      'is not told by what mixes it',
      { inputs: { x: [6, 4, 3] }, nodes: [node('Reshape', ['x', 'x'], ['y'])] },
      undefined,
    ],
  ])('%s', (_, spec, axis) => {
    expect(of(spec)).toBe(axis);
  });
});
