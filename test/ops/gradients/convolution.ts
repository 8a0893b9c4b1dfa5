/** Conv in 1-D to 3-D and ConvTranspose: every form of dX and dW, with what changes how windows lie. */
import { single, uniform, type Cases, type GradientCase } from './case.ts';

interface Variant {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Readonly<Record<string, number | string | readonly number[]>>;
}

const conv = ({ x, w, attributes = {} }: Variant): GradientCase => {
  return single('Conv', { x: uniform(x), w: uniform(w), b: uniform([w[0]!]) }, attributes);
};
const transposed = ({ x, w, attributes = {} }: Variant): GradientCase => {
  const filters = w[1]! * ((attributes['group'] as number | undefined) ?? 1);
  return single('ConvTranspose', { x: uniform(x), w: uniform(w), b: uniform([filters]) }, attributes);
};

export const convolution: Cases = {
  Conv: conv({ x: [2, 5, 5, 4], w: [3, 5, 3, 3], attributes: { pads: [1, 1, 1, 1] } }),
  'Conv of few channels': conv({ x: [2, 2, 5, 4], w: [3, 2, 3, 3], attributes: { pads: [1, 1, 1, 1] } }),
  'Conv 1x1': conv({ x: [2, 3, 3, 4], w: [4, 3, 1, 1] }),
  'Conv 1x1 with groups': conv({ x: [2, 4, 3, 2], w: [6, 2, 1, 1], attributes: { group: 2 } }),
  'Conv 1x1 with padding': conv({ x: [1, 5, 3, 3], w: [2, 5, 1, 1], attributes: { pads: [1, 0, 1, 1] } }),
  'Conv 1x1 of stride 2': conv({ x: [2, 5, 5, 4], w: [2, 5, 1, 1], attributes: { strides: [2, 2] } }),
  'Conv without padding': conv({ x: [1, 5, 5, 4], w: [2, 5, 3, 2] }),
  'Conv with asymmetric padding': conv({ x: [1, 5, 4, 5], w: [2, 5, 3, 2], attributes: { pads: [2, 0, 1, 1] } }),
  'Conv with padding beyond the kernel': conv({ x: [1, 5, 3, 3], w: [2, 5, 2, 2], attributes: { pads: [2, 3, 2, 2] } }),
  'Conv of stride 2': conv({ x: [2, 5, 6, 5], w: [3, 5, 3, 3], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } }),
  'Conv of stride 2 that leaves a row': conv({ x: [1, 5, 6, 6], w: [2, 5, 3, 3], attributes: { strides: [2, 2] } }),
  'Conv of strides 1 and 3': conv({
    x: [1, 3, 4, 8],
    w: [2, 3, 2, 3],
    attributes: { strides: [1, 3], pads: [0, 1, 1, 0] },
  }),
  'Conv with dilation': conv({
    x: [1, 5, 6, 6],
    w: [2, 5, 3, 2],
    attributes: { dilations: [2, 3], pads: [2, 1, 2, 1] },
  }),
  'Conv with dilation and stride': conv({
    x: [1, 5, 8, 7],
    w: [2, 5, 3, 3],
    attributes: { dilations: [2, 2], strides: [2, 2], pads: [2, 2, 2, 1] },
  }),
  'Conv depthwise': conv({ x: [2, 5, 4, 4], w: [5, 1, 3, 3], attributes: { group: 5, pads: [1, 1, 1, 1] } }),
  'Conv depthwise on a large map': conv({
    x: [1, 5, 17, 16],
    w: [5, 1, 3, 3],
    attributes: { group: 5, pads: [1, 1, 1, 1] },
  }),
  'Conv depthwise of stride 2': conv({
    x: [1, 4, 5, 6],
    w: [4, 1, 3, 3],
    attributes: { group: 4, strides: [2, 2], pads: [1, 1, 1, 1] },
  }),
  'Conv depthwise with two filters per channel': conv({ x: [1, 5, 4, 4], w: [10, 1, 2, 2], attributes: { group: 5 } }),
  'Conv with groups': conv({ x: [2, 6, 4, 3], w: [4, 3, 3, 3], attributes: { group: 2, pads: [1, 1, 1, 1] } }),
  'Conv with groups and stride': conv({ x: [1, 6, 5, 5], w: [6, 2, 3, 3], attributes: { group: 3, strides: [2, 1] } }),
  'Conv SAME_UPPER': conv({
    x: [1, 5, 5, 6],
    w: [2, 5, 2, 3],
    attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
  }),
  'Conv SAME_LOWER': conv({ x: [1, 5, 5, 6], w: [2, 5, 2, 4], attributes: { auto_pad: 'SAME_LOWER' } }),
  'Conv VALID': conv({ x: [1, 5, 5, 6], w: [2, 5, 2, 3], attributes: { auto_pad: 'VALID' } }),
  'Conv in one dimension': conv({ x: [2, 5, 9], w: [3, 5, 3], attributes: { pads: [1, 2], dilations: [2] } }),
  'Conv in one dimension of stride 2': conv({ x: [2, 5, 9], w: [3, 5, 4], attributes: { strides: [2], pads: [1, 0] } }),
  'Conv in three dimensions': conv({
    x: [1, 5, 3, 3, 4],
    w: [2, 5, 2, 2, 2],
    attributes: { pads: [0, 1, 0, 1, 0, 1] },
  }),
  'Conv in three dimensions of stride 2': conv({
    x: [1, 2, 4, 3, 4],
    w: [2, 2, 2, 2, 3],
    attributes: { strides: [2, 1, 2] },
  }),
  ConvTranspose: transposed({ x: [2, 5, 3, 3], w: [5, 2, 3, 3] }),
  'ConvTranspose of stride 2': transposed({
    x: [1, 5, 3, 4],
    w: [5, 2, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
  }),
  'ConvTranspose with groups and dilation': transposed({
    x: [1, 4, 3, 3],
    w: [4, 3, 2, 2],
    attributes: { group: 2, dilations: [2, 1], strides: [1, 2], pads: [0, 1, 1, 0] },
  }),
  'ConvTranspose with output_shape': transposed({
    x: [1, 3, 3, 3],
    w: [3, 2, 3, 3],
    attributes: { strides: [2, 2], output_shape: [6, 6] },
  }),
  'ConvTranspose SAME_UPPER': transposed({
    x: [1, 3, 3, 3],
    w: [3, 2, 3, 3],
    attributes: { strides: [2, 2], auto_pad: 'SAME_UPPER' },
  }),
  'ConvTranspose SAME_LOWER': transposed({
    x: [1, 3, 3, 3],
    w: [3, 2, 3, 3],
    attributes: { strides: [2, 2], auto_pad: 'SAME_LOWER' },
  }),
  'ConvTranspose in one dimension': transposed({
    x: [2, 3, 4],
    w: [3, 2, 4],
    attributes: { strides: [2], pads: [1, 1] },
  }),
};
