/** A small network with what targets treat differently: a residual sum, pools, a gate, a product of matrices, a last Gemm. */
import type { Model } from '../../src/graph/model.ts';
import { buildModel, f32, i64, node } from '../support/build.ts';
import type { Feeds } from './support.ts';

export function network(opset = 21): Model {
  return buildModel({
    opset,
    irVersion: 10,
    inputs: { x: [1, 3, 8, 8] },
    outputs: { y: [1, 5] },
    initializers: {
      w1: f32([8, 3, 3, 3]),
      b1: f32([8]),
      w2: f32([8, 8, 3, 3]),
      b2: f32([8]),
      w3: f32([8, 8, 1, 1]),
      w4: f32([16, 16]),
      w5: f32([5, 128]),
      b5: f32([5]),
      rows: i64([1, 8, 16]),
    },
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['c1'], ['r1']),
      node('Conv', ['r1', 'w2', 'b2'], ['c2'], { pads: [1, 1, 1, 1] }),
      node('Add', ['c2', 'r1'], ['sum']),
      node('Relu', ['sum'], ['r2']),
      node('AveragePool', ['r2'], ['pooled'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Conv', ['pooled', 'w3'], ['c3']),
      node('Sigmoid', ['c3'], ['gate']),
      node('Mul', ['pooled', 'gate'], ['gated']),
      node('Reshape', ['gated', 'rows'], ['matrix']),
      node('MatMul', ['matrix', 'w4'], ['product']),
      node('Flatten', ['product'], ['flat']),
      node('Gemm', ['flat', 'w5', 'b5'], ['y'], { transB: 1 }),
    ],
  });
}

export const feeds: Feeds = {
  x: {
    type: 'float32',
    dims: [1, 3, 8, 8],
    data: Float32Array.from({ length: 192 }, (_, i) => Math.sin(i * 1.7) + 0.3 * Math.cos(i * 0.37)),
  },
};
