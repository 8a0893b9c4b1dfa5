/**
 * LSTM → com.microsoft DynamicQuantizeLSTM: the products with W and R in int8, their inputs quantized at every step, gates and
 * states in float. The kernel wants the weights as [directions, reduction, 4 · hidden], the transpose of the operator's.
 */
import { replaceNode } from '../../graph/rewrite.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Constant, NodeRule } from '../node-rules.ts';
import { codes } from '../params.ts';
import { quantizeWeights, weightScales } from '../weights.ts';
import type { DynamicSettings } from './chain.ts';

export const lstm: NodeRule<DynamicSettings> = {
  types: ['LSTM'],
  weights: [1, 2],
  refuse: (node) => (node.int('layout', 0) === 0 ? undefined : 'its tensors are batch first (layout = 1)'),
  emit(node, writer) {
    const { scheme } = writer.settings;
    const quantized = [1, 2].map((index) => {
      const weight = node.input(index)!;
      return writer.constants(weight, ['quantized', 'scale', 'zero_point'], () => {
        const tensor = weight.constant!;
        const [directions, gates, reduction] = tensor.dims as [number, number, number];
        // One scale per direction and gate: the rows of a matrix [directions · gates, reduction].
        const rows = tensor.reshaped([directions * gates, reduction]);
        const type = scheme.weightType;
        const how = weightScales(rows, { type, axis: 0, range: scheme.weightRange, layout: 'rows' });
        const scaled: Constant = { type: 'float32', dims: [directions, gates], data: how.scales };
        const zeros = codes(type, how.scales.length).fill(how.zeroPoint);
        return [
          transposed(quantizeWeights(rows, how, weight.name), directions, gates, reduction),
          scaled,
          { type, dims: [directions, gates], data: zeros },
        ];
      });
    });
    const [w, r] = quantized as [(typeof quantized)[0], (typeof quantized)[0]];
    const rest = Array.from({ length: 5 }, (_, i) => node.input(3 + i) ?? null);
    const replacement = node.graph!.makeNode(
      'DynamicQuantizeLSTM',
      [node.input(0)!, w[0]!, r[0]!, ...rest, w[1]!, w[2]!, r[1]!, r[2]!],
      { name: node.name, domain: 'com.microsoft', outputs: [] },
    );
    for (const [name, attribute] of node.attributes) {
      if (name !== 'layout') replacement.attributes.set(name, attribute);
    }
    replaceNode(node, replacement);
  },
};

function transposed(tensor: Tensor, directions: number, gates: number, reduction: number): Constant {
  const from = tensor.data() as Int8Array;
  const to = from.slice();
  for (let d = 0; d < directions; d++) {
    const base = d * gates * reduction;
    for (let g = 0; g < gates; g++) {
      for (let k = 0; k < reduction; k++) to[base + k * gates + g] = from[base + g * reduction + k]!;
    }
  }
  return { type: tensor.type.name, dims: [directions, reduction, gates], data: to };
}
