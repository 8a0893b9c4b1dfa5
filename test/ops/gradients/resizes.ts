/** Resize in its modes; the operator is linear, so differences are exact but for rounding. */
import { f32, float, i64, type AttributeSpec } from '../../support/build.ts';
import { single, uniform, type Cases, type GradientCase } from './case.ts';

const resize = (
  scales: readonly number[],
  attributes: Readonly<Record<string, AttributeSpec>>,
  dims: readonly number[] = [2, 2, 4, 5],
): GradientCase => {
  const initializers = { empty: f32([0], []), scales: f32([scales.length], scales) };
  return single('Resize', { x: uniform(dims) }, attributes, { constants: ['empty', 'scales'], initializers });
};
const sized = (sizes: readonly number[], attributes: Readonly<Record<string, AttributeSpec>>): GradientCase => ({
  ...single('Resize', { x: uniform([1, 2, 4, 5]) }, attributes, {
    constants: ['', '', 'sizes'],
    initializers: { sizes: i64(sizes) },
  }),
});

export const resizes: Cases = {
  Resize: resize([1, 1, 2, 2], { mode: 'nearest' }),
  'Resize nearest, asymmetric, rounding down': resize([1, 1, 2, 3], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  'Resize linear': resize([1, 1, 2, 1.5], { mode: 'linear' }),
  'Resize linear to half': resize([1, 1, 0.5, 0.6], { mode: 'linear', coordinate_transformation_mode: 'half_pixel' }),
  'Resize linear, aligned corners': sized([1, 2, 7, 3], {
    mode: 'linear',
    coordinate_transformation_mode: 'align_corners',
  }),
  'Resize linear, antialiased': resize([1, 1, 0.5, 0.6], { mode: 'linear', antialias: 1 }),
  'Resize cubic': resize([1, 1, 2, 2], { mode: 'cubic', cubic_coeff_a: float(-0.75) }),
  'Resize cubic to sizes': sized([1, 2, 6, 7], { mode: 'cubic', coordinate_transformation_mode: 'pytorch_half_pixel' }),
  'Resize of two axes': resize([3, 2], { mode: 'linear', axes: [-1, -2] }),
  'Resize in one dimension': resize([1, 1, 2], { mode: 'linear' }, [2, 3, 4]),
  'Resize nearest in three dimensions': resize([1, 1, 2, 1, 2], { mode: 'nearest' }, [1, 2, 2, 3, 2]),
};
