/** Operators that move, cut, repeat or pick elements. */
import { i64, node, scalar, type Constant } from '../../support/build.ts';
import { single, spaced, uniform, type Cases, type GradientCase } from './case.ts';

const x = { x: uniform([2, 3, 4]) };

/** One node whose other inputs are constants. */
const withConstants = (
  opType: string,
  initializers: Readonly<Record<string, Constant>>,
  attributes = {},
  inputs: GradientCase['inputs'] = x,
): GradientCase => single(opType, inputs, attributes, { constants: Object.keys(initializers), initializers });

const slice = (starts: number[], ends: number[], axes: number[], steps: number[]): GradientCase => {
  return withConstants('Slice', { starts: i64(starts), ends: i64(ends), axes: i64(axes), steps: i64(steps) });
};

export const shapes: Cases = {
  Reshape: withConstants('Reshape', { shape: i64([0, -1]) }),
  Flatten: single('Flatten', x, { axis: 2 }),
  Squeeze: withConstants('Squeeze', { axes: i64([1]) }, {}, { x: uniform([2, 1, 3]) }),
  Unsqueeze: withConstants('Unsqueeze', { axes: i64([0, -1]) }),
  Transpose: single('Transpose', x, { perm: [2, 0, 1] }),
  'Transpose without perm': single('Transpose', x),
  DepthToSpace: single('DepthToSpace', { x: uniform([1, 8, 2, 3]) }, { blocksize: 2 }),
  'DepthToSpace CRD': single('DepthToSpace', { x: uniform([1, 8, 2, 3]) }, { blocksize: 2, mode: 'CRD' }),
  SpaceToDepth: single('SpaceToDepth', { x: uniform([1, 2, 4, 6]) }, { blocksize: 2 }),
  Concat: single('Concat', { a: uniform([2, 3]), b: uniform([2, 1]), c: uniform([2, 2]) }, { axis: -1 }),
  Split: {
    nodes: [node('Split', ['x', 'sizes'], ['a', 'b', 'c'], { axis: 2 }), node('Mul', ['a', 'c'], ['z'])],
    inputs: x,
    initializers: { sizes: i64([1, 2, 1]) },
  },
  Slice: slice([1, 0], [3, 9], [1, 2], [1, 1]),
  'Slice from the end': slice([-3], [-1], [2], [1]),
  'Slice to the end of time': {
    ...slice([1], [0], [1], [1]),
    initializers: {
      starts: i64([1]),
      ends: { type: 'int64', dims: [1], data: BigInt64Array.of(2n ** 63n - 1n) },
      axes: i64([1]),
    },
    nodes: [node('Slice', ['x', 'starts', 'ends', 'axes'], ['z'])],
  },
  'Slice with a step': slice([0, 1], [3, 4], [1, 2], [2, 2]),
  'Slice backwards': slice([-1, 2], [-9, 0], [2, 1], [-1, -2]),
  'Slice backwards with a step': slice([9], [-9], [2], [-3]),
  Pad: withConstants('Pad', { pads: i64([0, 1, 0, 2, 0, 1]) }),
  'Pad that cuts': withConstants('Pad', { pads: i64([0, -1, 0, 1, 0, -2]) }),
  'Pad of an axis with a learned value': {
    nodes: [node('Pad', ['x', 'pads', 'value', 'axes'], ['z'])],
    inputs: { ...x, value: { dims: [], data: [0.5] } },
    initializers: { pads: i64([1, 2]), axes: i64([-1]) },
  },
  'Pad reflect': withConstants('Pad', { pads: i64([0, 2, 3, 0, 1, 3]) }, { mode: 'reflect' }),
  'Pad edge': withConstants('Pad', { pads: i64([1, 0, 2, 0, 2, 0]) }, { mode: 'edge' }),
  'Pad wrap': { ...withConstants('Pad', { pads: i64([0, 0, 3, 0, 1, 2]) }, { mode: 'wrap' }), opset: 19 },
  Expand: withConstants('Expand', { shape: i64([2, 4, 3]) }, {}, { x: uniform([4, 1]) }),
  Tile: withConstants('Tile', { repeats: i64([1, 2, 3]) }),
  Gather: withConstants('Gather', { indices: i64([2, 0, 2, -1]) }, { axis: 1 }),
  'Gather of rows': withConstants('Gather', { indices: { ...i64([1, 1, 0, 1]), dims: [2, 2] } }),
  'Gather of one': withConstants('Gather', { index: scalar('int64', 1) }, { axis: 2 }),
  GatherElements: withConstants(
    'GatherElements',
    { indices: { ...i64([0, 2, -1, 0]), dims: [2, 2] } },
    { axis: 1 },
    { x: uniform([2, 3]) },
  ),
  CumSum: withConstants('CumSum', { axis: scalar('int64', 1) }),
  'CumSum reverse and exclusive': withConstants('CumSum', { axis: scalar('int64', 2) }, { reverse: 1, exclusive: 1 }),
  Trilu: withConstants('Trilu', { k: scalar('int64', 1) }, { upper: 1 }),
  'Trilu lower': single('Trilu', x, { upper: 0 }),
  TopK: {
    nodes: [node('TopK', ['x', 'k'], ['z', 'indices'], { axis: 1 })],
    inputs: { x: spaced([2, 4]) },
    initializers: { k: i64([2]) },
  },
};
