/** Outputs whose parameters the kernels of a target insist on. */
import type { ActivationType } from '../../../backends/targets/target.ts';
import { tensorOf } from '../quantizers.ts';
import { short, type LintRule } from '../rule.ts';

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
