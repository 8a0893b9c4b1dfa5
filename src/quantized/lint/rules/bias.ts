/** Biases: int32 with a zero point, without one, or float. */
import { tensorOf } from '../quantizers.ts';
import type { LintRule } from '../rule.ts';

const texts = {
  int32: undefined,
  'int32-without-zero-point': 'no zero point on a DequantizeLinear of int32 (a bias)',
  float: 'biases in float',
};

export const bias: LintRule = {
  id: 'bias',
  text: ({ encoding }) => texts[encoding.bias],
  *check({ target, quantizers }) {
    const { bias: wanted } = target.encoding;
    for (const use of quantizers.biases) {
      const wrong =
        wanted === 'float'
          ? 'it is quantized'
          : wanted === 'int32-without-zero-point' && use.type === 'int32' && use.hasZeroPoint
            ? 'its DequantizeLinear of int32 has a zero point'
            : undefined;
      if (wrong === undefined) continue;
      const remedy = `quantize again with --target ${target.name}, which ${wanted === 'float' ? 'leaves biases float' : 'leaves it out (it is 0)'}`;
      yield { node: use.reader.label, tensor: tensorOf(use), message: wrong, remedy };
    }
  },
};
