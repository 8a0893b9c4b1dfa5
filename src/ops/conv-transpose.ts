/** ConvTranspose: the gradient of a convolution run forward, so that its own gradients are convolutions. */
import type { Node } from '../graph/node.ts';
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import { biasGradient, weightGradient, windowsOf } from './gradient/convolution.ts';
import { convolutionRule, type Operand, type OpSpec } from './op.ts';

/** The weight is [Cin, Cout/group, ...]; with groups a scale per Cout/group would be shared by unlike channels. */
function weight(node: Node): Operand {
  return { index: 1, role: 'weight', ...(node.int('group', 1) === 1 ? { axis: 1 } : {}) };
}

export const convTranspose: OpSpec = {
  types: ['ConvTranspose'],
  weight,
  learnable: () => [1, 2],
  quantize: (node) => convolutionRule(node, weight(node)),
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
