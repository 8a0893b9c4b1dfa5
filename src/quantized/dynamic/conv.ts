/**
 * Conv → DynamicQuantizeLinear + ConvInteger. onnxruntime's ConvInteger is a plain im2col without fusion: slower than the float
 * kernel on every convolution measured, so only where --include asks for it.
 */
import type { Value } from '../../graph/value.ts';
import type { NodeRule } from '../node-rules.ts';
import { backToFloat, placeWeight, quantizeDynamically, type DynamicSettings } from './chain.ts';

export const conv: NodeRule<DynamicSettings> = {
  types: ['Conv'],
  weights: [1],
  optional: () => "onnxruntime's ConvInteger is slower than its float Conv: use --format qdq (--include asks for it)",
  refuse: (node) => (node.input(2) && !node.constant(2) ? 'its bias is computed at run time' : undefined),
  emit(node, writer) {
    const weight = node.input(1)!;
    const spatial = weight.constant!.dims.length - 2;
    const perChannel = (channels: number): number[] => [channels, ...Array.from({ length: spatial }, () => 1)];
    const scaleDims = (channels: number): number[] => (channels === 1 ? [] : perChannel(channels));
    const placed = placeWeight(weight, '', { axis: 0, layout: 'conv', scaleDims }, writer);
    const activation = quantizeDynamically(node.input(0)!, node);
    // Symmetric s8 weights have zero point 0, the default; u8 ones have one for all channels.
    const zero = writer.constant(weight, 'zero', () => ({
      type: placed.zeroPoint.constant!.type.name,
      dims: [],
      data: placed.zeroPoint.constant!.data().slice(0, 1),
    }));
    const product = node.graph!.makeNode('ConvInteger', [activation.codes, placed.codes, activation.zeroPoint, zero], {
      name: `${node.name || node.output()!.name}_integer`,
    });
    for (const [name, attribute] of node.attributes) product.attributes.set(name, attribute);
    backToFloat(node, product, activation, placed.scale, biasOf(node.input(2)));

    function biasOf(bias: Value | undefined): Value | undefined {
      return (
        bias &&
        writer.constant(bias, 'channels', () => {
          const data = bias.constant!.floats();
          return { type: 'float32', dims: perChannel(data.length), data };
        })
      );
    }
  },
};
