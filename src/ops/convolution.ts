/**
 * Conv and ConvTranspose: u8 activations × s8 weights, int32 bias. ConvTranspose is the gradient of a convolution run forward, so that its
 * own gradients are convolutions.
 */
import type { Node } from '../graph/node.ts';
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import { biasGradient, weightGradient, windowsOf, inputGradient } from './gradient/convolution.ts';
import { convolutionRule, type Operand, type OpSpec } from './op.ts';

const convWeight = (): Operand => ({ index: 1, role: 'weight', axis: 0, layout: 'conv' });

/** Conv: the weight [Cout, Cin/group, ...] has one scale per output channel. */
export const conv: OpSpec = {
  types: ['Conv'],
  weight: convWeight,
  learnable: () => [1, 2],
  quantize: (node) => convolutionRule(node, convWeight()),
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const dy = dyOf(context);
    const [x, w] = [node.input(0)!, node.input(1)!];
    const [[batch, channels, ...image], [filters, , ...kernel], y] = [
      staticDims(x),
      staticDims(w),
      staticDims(node.output()!),
    ];
    const sizes = { batch: batch!, channels: channels!, filters: filters!, group: node.int('group', 1) };
    const geometry = { ...windowsOf(node, image, y.slice(2), kernel), ...sizes };
    give(context, 0, () => inputGradient(emit, geometry, dy, w));
    give(context, 1, () => weightGradient(emit, geometry, x, dy));
    give(context, 2, () => biasGradient(emit, dy, y.length));
  },
};

/** Tells how the weight of ConvTranspose is quantized. It is [Cin, Cout/group, ...]; with groups a scale per Cout/group would be shared by unlike channels. */
function transposedWeight(node: Node): Operand {
  return { index: 1, role: 'weight', ...(node.int('group', 1) === 1 ? { axis: 1 } : {}) };
}

export const convTranspose: OpSpec = {
  types: ['ConvTranspose'],
  weight: transposedWeight,
  learnable: () => [1, 2],
  quantize: (node) => convolutionRule(node, transposedWeight(node)),
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const dy = dyOf(context);
    const [x, w] = [node.input(0)!, node.input(1)!];
    const [[batch, filters, ...count], [, , ...kernel], y] = [staticDims(x), staticDims(w), staticDims(node.output()!)];
    // The convolution whose image is the output of this node and whose results are its input.
    const [, channels, ...image] = y;
    const sizes = { batch: batch!, channels: channels!, filters: filters!, group: node.int('group', 1) };
    const geometry = { ...windowsOf(node, image, count, kernel), ...sizes };
    const { strides, dilations, begins, ends, group } = geometry;
    give(context, 0, () =>
      emit.op('Conv', [dy, w], {
        kernel_shape: kernel,
        strides,
        dilations,
        pads: [...begins, ...ends.map((pad) => Math.max(0, pad))],
        group,
      }),
    );
    give(context, 1, () => weightGradient(emit, geometry, dy, x));
    give(context, 2, () => biasGradient(emit, dy, y.length));
  },
};
