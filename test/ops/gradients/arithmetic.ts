/** Products and arithmetic, with every way of broadcasting. */
import { float, node, scalar } from '../../support/build.ts';
import { single, spaced, uniform, type Cases } from './case.ts';

const positive = uniform([2, 3], 0.5, 2);

export const arithmetic: Cases = {
  Gemm: single('Gemm', { a: uniform([3, 4]), b: uniform([4, 2]), c: uniform([2]) }),
  'Gemm transposed': single(
    'Gemm',
    { a: uniform([4, 3]), b: uniform([2, 4]), c: uniform([3, 1]) },
    { transA: 1, transB: 1, alpha: float(0.5), beta: float(2) },
  ),
  'Gemm with B transposed': single(
    'Gemm',
    { a: uniform([3, 4]), b: uniform([2, 4]), c: uniform([1, 2]) },
    { transB: 1 },
  ),
  'Gemm with A transposed': single('Gemm', { a: uniform([4, 3]), b: uniform([4, 2]) }, { transA: 1 }),
  MatMul: single('MatMul', { a: uniform([3, 4]), b: uniform([4, 2]) }),
  'MatMul of a batch': single('MatMul', { a: uniform([2, 3, 4]), b: uniform([2, 4, 2]) }),
  'MatMul with a weight': single('MatMul', { a: uniform([2, 2, 3, 4]), b: uniform([4, 2]) }),
  'MatMul broadcast': single('MatMul', { a: uniform([2, 1, 3, 4]), b: uniform([3, 4, 2]) }),
  'MatMul with a matrix on the left': single('MatMul', { a: uniform([3, 4]), b: uniform([2, 4, 2]) }),
  'MatMul of a vector and a matrix': single('MatMul', { a: uniform([4]), b: uniform([2, 4, 3]) }),
  'MatMul of a matrix and a vector': single('MatMul', { a: uniform([2, 3, 4]), b: uniform([4]) }),
  'MatMul of vectors': single('MatMul', { a: uniform([4]), b: uniform([4], 0.5, 1) }),
  Add: single('Add', { a: uniform([2, 3]), b: uniform([2, 3], 0, 1) }),
  'Add broadcast': single('Add', { a: uniform([2, 1, 3]), b: uniform([4, 1]) }),
  'Add of a value to itself': { nodes: [node('Add', ['a', 'a'], ['z'])], inputs: { a: uniform([2, 3]) } },
  Sub: single('Sub', { a: uniform([3]), b: uniform([2, 3]) }),
  Mul: single('Mul', { a: uniform([2, 3]), b: uniform([2, 3], 0.5, 1) }),
  'Mul broadcast': single('Mul', { a: uniform([2, 3, 2]), b: uniform([3, 1]) }),
  'Mul by a scalar': single('Mul', { a: uniform([2, 3]), b: uniform([], 1, 2) }),
  Div: single('Div', { a: uniform([2, 3]), b: uniform([3], 1, 2) }),
  Pow: single('Pow', { a: positive, b: uniform([3], 1, 2) }),
  'Pow of 2': single(
    'Pow',
    { a: uniform([2, 3]) },
    {},
    { constants: ['two'], initializers: { two: scalar('float32', 2) } },
  ),
  'Pow of an integer': single(
    'Pow',
    { a: uniform([2, 3], 0.5, 1) },
    {},
    { constants: ['n'], initializers: { n: scalar('int64', 3) } },
  ),
  Sum: single('Sum', { a: uniform([2, 3]), b: uniform([3]), c: uniform([2, 1]) }),
  Mean: single('Mean', { a: uniform([2, 3]), b: uniform([3]) }),
  Max: single('Max', {
    a: spaced([4, 3]),
    b: { dims: [3], data: [-0.5, 0.01, 0.5] },
    c: { dims: [1], data: [0.25] },
  }),
  Min: single('Min', { a: spaced([4, 3]), b: uniform([3], 0.01, 0.02) }),
  Where: {
    nodes: [node('Where', ['mask', 'a', 'b'], ['z'])],
    inputs: { a: uniform([2, 3]), b: uniform([3]) },
    initializers: { mask: { type: 'bool', dims: [2, 1], data: Uint8Array.of(1, 0) } },
  },
  'fan-out to three users': {
    nodes: [
      node('Tanh', ['x'], ['t']),
      node('Mul', ['t', 't'], ['a']),
      node('Exp', ['t'], ['b']),
      node('Add', ['a', 'b'], ['c']),
      node('Mul', ['c', 'x'], ['z']),
    ],
    inputs: { x: uniform([2, 3]) },
  },
};
