/** Conv: u8 activations × s8 weights, one weight scale per output channel, int32 bias. */
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import { biasGradient, inputGradient, weightGradient, windowsOf } from './gradient/convolution.ts';
import { convolutionRule, type Operand, type OpSpec } from './op.ts';

const weight = (): Operand => ({ index: 1, role: 'weight', axis: 0, layout: 'conv' });

export const conv: OpSpec = {
  types: ['Conv'],
  weight,
  learnable: () => [1, 2],
  quantize: (node) => convolutionRule(node, weight()),
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
