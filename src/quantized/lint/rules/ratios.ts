/** Ratios of scales that onnxruntime's integer kernels cannot compute: they end the process, or write wrong codes. */
import { uncomputable } from '../../requantize.ts';
import type { LintRule } from '../rule.ts';

export const scaleRatio: LintRule = {
  id: 'scale-ratio',
  text: () => 'scales of pools, sums and products within the ratio that integer kernels compute',
  *check({ model }) {
    for (const node of model.allNodes()) {
      const found = uncomputable(node);
      if (!found) continue;
      const { inputScales, outputScale, refused } = found;
      yield {
        node: node.label,
        message:
          `its output scale is ${outputScale}, its input scale${inputScales.length > 1 ? 's' : ''} ${inputScales.join(' and ')}: ` +
          (refused
            ? "onnxruntime's integer kernel refuses that ratio, and may end the process"
            : "onnxruntime's integer kernel overflows and writes the lowest codes"),
        remedy: 'quantize again with qdq, which limits the scale, or leave the node float',
      };
    }
  },
};
