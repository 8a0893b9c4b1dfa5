/** Pools and reductions; where an extreme is chosen no two elements are near each other. */
import { i64 } from '../../support/build.ts';
import { single, spaced, uniform, type Cases, type GradientCase } from './case.ts';

const reduce = (opType: string, x = uniform([2, 3, 4], 0.25, 1), attributes = {}, axes = [1]): GradientCase => {
  return single(opType, { x }, attributes, { constants: ['axes'], initializers: { axes: i64(axes) } });
};

export const reductions: Cases = {
  MaxPool: single('MaxPool', { x: spaced([2, 2, 4, 6]) }, { kernel_shape: [2, 2], strides: [2, 2] }),
  'MaxPool with overlap': single(
    'MaxPool',
    { x: spaced([1, 2, 5, 6]) },
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  ),
  'MaxPool with dilation': single('MaxPool', { x: spaced([1, 1, 5, 6]) }, { kernel_shape: [2, 2], dilations: [2, 3] }),
  'MaxPool in one dimension, rounding up': single(
    'MaxPool',
    { x: spaced([2, 2, 7]) },
    { kernel_shape: [2], strides: [2], ceil_mode: 1 },
  ),
  AveragePool: single('AveragePool', { x: uniform([2, 2, 4, 6]) }, { kernel_shape: [2, 2], strides: [2, 2] }),
  'AveragePool without padding in the count': single(
    'AveragePool',
    { x: uniform([1, 2, 5, 6]) },
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 1] },
  ),
  'AveragePool with padding in the count': single(
    'AveragePool',
    { x: uniform([1, 2, 5, 6]) },
    { kernel_shape: [3, 2], strides: [1, 2], pads: [1, 1, 1, 1], count_include_pad: 1 },
  ),
  'AveragePool that leaves a row': single(
    'AveragePool',
    { x: uniform([1, 1, 6, 5]) },
    { kernel_shape: [3, 3], strides: [2, 2] },
  ),
  'AveragePool that rounds up': single(
    'AveragePool',
    { x: uniform([1, 1, 6, 5]) },
    { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 },
    { opset: 19 },
  ),
  'AveragePool that rounds up, with padding in the count': single(
    'AveragePool',
    { x: uniform([1, 1, 6, 6]) },
    { kernel_shape: [3, 2], strides: [2, 2], pads: [0, 1, 0, 1], ceil_mode: 1, count_include_pad: 1 },
    { opset: 19 },
  ),
  'AveragePool SAME_UPPER': single(
    'AveragePool',
    { x: uniform([1, 1, 5, 6]) },
    { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' },
  ),
  'AveragePool in one dimension': single('AveragePool', { x: uniform([2, 2, 7]) }, { kernel_shape: [3], pads: [1, 1] }),
  GlobalAveragePool: single('GlobalAveragePool', { x: uniform([2, 2, 3, 4]) }),
  GlobalMaxPool: single('GlobalMaxPool', { x: spaced([2, 2, 3, 4]) }),
  ReduceMean: reduce('ReduceMean'),
  'ReduceMean over all axes': single('ReduceMean', { x: uniform([2, 3, 4]) }, { keepdims: 0 }),
  'ReduceMean with axes as an attribute': single(
    'ReduceMean',
    { x: uniform([2, 3, 4]) },
    { axes: [-1], keepdims: 0 },
    { opset: 17 },
  ),
  ReduceSum: reduce('ReduceSum', uniform([2, 3, 4]), { keepdims: 0 }, [0, 2]),
  'ReduceSum over no axes': single('ReduceSum', { x: uniform([2, 3]) }, { noop_with_empty_axes: 1 }),
  ReduceMax: reduce('ReduceMax', spaced([2, 3, 4]), { keepdims: 0 }),
  ReduceMin: reduce('ReduceMin', spaced([2, 3, 4])),
  ReduceL1: reduce('ReduceL1', spaced([2, 3, 4])),
  ReduceL2: reduce('ReduceL2'),
  ReduceSumSquare: reduce('ReduceSumSquare'),
  ReduceLogSum: reduce('ReduceLogSum'),
  ReduceLogSumExp: reduce('ReduceLogSumExp', uniform([2, 3, 4]), { keepdims: 0 }, [2]),
};
