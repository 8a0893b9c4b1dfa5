/**
 * Conv and ConvTranspose: s8 weights behind a DequantizeLinear, a quarter of the size. onnxruntime dequantizes them at every
 * run and computes in float: for size alone, so only where --include asks for it.
 */
import { dequantizeIn, placeCodes } from '../dequantize.ts';
import type { NodeRule } from '../node-rules.ts';
import { codes } from '../params.ts';
import { quantizeWeights, weightScales } from '../weights.ts';
import { specOf } from '../../ops/index.ts';
import type { BlockSettings } from './settings.ts';

export const conv: NodeRule<BlockSettings> = {
  types: ['Conv', 'ConvTranspose'],
  weights: [1],
  optional: () => 'stored in 8 bits it would be dequantized at every run: smaller, not faster (--include asks for it)',
  refuse: () => undefined,
  emit(node) {
    const weight = node.input(1)!;
    const { axis, layout } = specOf(node)!.weight!(node, weight.constant!.dims.length);
    const scales = weightScales(weight.constant!, { type: 'int8', axis, range: 'full', layout });
    const tensor = quantizeWeights(weight.constant!, scales, `${weight.name}_quantized`);
    const zeros = codes('int8', scales.scales.length);
    const placed = placeCodes(weight.graph, tensor, scales.scales, zeros, axis);
    node.setInput(1, dequantizeIn(node.graph!, placed, weight.name));
  },
};
