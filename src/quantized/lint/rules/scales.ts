/** Scales that no target can compute with. */
import { badScales, describeBadScale } from '../../scales.ts';
import type { LintRule } from '../rule.ts';

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
