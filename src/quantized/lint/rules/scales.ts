/**
 * Rules for scales: numbers that no target can compute with, ratios that onnxruntime's integer kernels cannot compute (they end the
 * process, or write wrong codes), and outputs whose parameters the kernels of a target insist on.
 */
import type { ActivationType } from '../../../backends/targets/target.ts';
import { badScales, describeBadScale } from '../../quant-params.ts';
import { uncomputable } from '../../requantize.ts';
import { short, tensorOf, type LintRule } from '../rule.ts';

export const scales: LintRule = {
  id: 'scale',
  text: () => 'every scale is a finite number above 0',
  *check({ model }) {
    for (const bad of badScales(model)) {
      yield {
        node: bad.node.label,
        tensor: bad.tensor,
        message: describeBadScale(bad),
        remedy: 'calibrate or train the model anew: nothing that passes here keeps its value',
      };
    }
  },
};

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

export const fixedParameters: LintRule = {
  id: 'fixed-parameters',
  text: ({ fixed }) => {
    const rows = Object.entries(fixed).flatMap(([op, byType]) =>
      Object.entries(byType).map(([type, p]) => `${op} in ${short(type)}: 1/${1 / p.scale} and ${p.zeroPoint}`),
    );
    return rows.length === 0 ? undefined : `scale and zero point of the output are given: ${rows.join('; ')}`;
  },
  *check({ target, quantizers }) {
    for (const quantizer of quantizers.activations) {
      const { node, type, scale, zeroPoint } = quantizer;
      const producer = node.is('QuantizeLinear') ? node.input(0)?.producer : undefined;
      const wanted = producer && target.fixed[producer.opType]?.[type as ActivationType];
      if (!wanted || !scale) continue;
      const [found, zero] = [scale.floats()[0]!, zeroPoint?.ints()[0] ?? 0];
      if (found === Math.fround(wanted.scale) && zero === wanted.zeroPoint) continue;
      yield {
        node: producer.label,
        tensor: tensorOf(quantizer),
        message: `its scale is ${found} and its zero point ${zero}, not 1/${1 / wanted.scale} and ${wanted.zeroPoint}`,
        remedy: `quantize again with --target ${target.name}`,
      };
    }
  },
};
