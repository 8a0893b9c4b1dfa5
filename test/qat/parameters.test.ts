/** Which constants are trained: factors and offsets are, masks are not. */
import { expect, it } from 'vitest';
import { findParameters } from '../../src/qat/parameters.ts';
import { buildModel, f32, node } from '../support/build.ts';

const trained = (mask: readonly number[]): string[] => {
  const model = buildModel({
    inputs: { x: [1, 2, 2] },
    initializers: { w: f32([2, 2]), shift: f32([2], [1, -3]), mask: f32([2, 2], mask) },
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Add', ['h', 'shift'], ['s']),
      node('Add', ['s', 'mask'], ['m']),
      node('Softmax', ['m'], ['y'], { axis: -1 }),
    ],
    outputs: ['y'],
  });
  return findParameters(model, () => 1).map(({ name }) => name);
};

it.each([[[0, -Infinity, 0, 0]], [[0, -1e4, 0, 0]], [[0, -3.4e38, 0, 0]]])('%j is a mask', (mask) => {
  expect(trained(mask)).toEqual(['w', 'shift']);
});

it('a table of offsets is learned', () => {
  expect(trained([0.5, -9, 0, 700])).toEqual(['w', 'mask', 'shift']);
});
