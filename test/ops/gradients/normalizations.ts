/** Normalizations, with scale and bias; and BatchNormalization with its statistics as inputs. */
import { float } from '../../support/build.ts';
import { single, uniform, type Cases } from './case.ts';

const x = uniform([2, 4, 3, 2], -2, 2);
const affine = (size: number) => ({ scale: uniform([size], 0.5, 1.5), bias: uniform([size]) });
/** Curved in x: a smaller step. */
const fine = { step: 2 ** -6 };

export const normalizations: Cases = {
  BatchNormalization: single(
    'BatchNormalization',
    { x, ...affine(4), mean: uniform([4]), variance: uniform([4], 0.5, 2) },
    { epsilon: float(0.01) },
    fine,
  ),
  LayerNormalization: single('LayerNormalization', { x: uniform([2, 3, 4], -2, 2), ...affine(4) }, {}, fine),
  'LayerNormalization over two axes': single(
    'LayerNormalization',
    { x, scale: uniform([3, 2], 0.5, 1.5), bias: uniform([3, 2]) },
    { axis: 2, epsilon: float(0.1) },
    fine,
  ),
  'LayerNormalization without bias': single('LayerNormalization', { x, scale: uniform([4, 3, 2]) }, { axis: -3 }, fine),
  RMSNormalization: single(
    'RMSNormalization',
    { x, scale: uniform([3, 2], 0.5, 1.5) },
    { axis: -2 },
    { opset: 23, ...fine },
  ),
  InstanceNormalization: single('InstanceNormalization', { x, ...affine(4) }, {}, fine),
  'GroupNormalization with a scale per channel': single(
    'GroupNormalization',
    { x, ...affine(4) },
    { num_groups: 2 },
    { opset: 21, ...fine },
  ),
  'GroupNormalization with a scale per group': single(
    'GroupNormalization',
    { x, ...affine(2) },
    { num_groups: 2 },
    { opset: 18, ...fine },
  ),
};
