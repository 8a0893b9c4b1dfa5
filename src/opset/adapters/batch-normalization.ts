/** BatchNormalization: statistics per position vanished (9), and training is said by an attribute, not by outputs (14). */
import type { Adapter } from '../adapter.ts';

export const batchNormalization9: Adapter = {
  ops: ['BatchNormalization'],
  version: 9,
  adapt(node, context) {
    if (node.int('spatial', 1) === 0) throw context.cannot('it has statistics of their own per position (spatial = 0)');
    return node.attributes.delete('spatial');
  },
};

export const batchNormalization14: Adapter = {
  ops: ['BatchNormalization'],
  version: 14,
  adapt(node, context) {
    if (node.outputs.slice(1).some((output) => output !== null)) {
      throw context.cannot('it is in training mode (it has outputs for statistics): export the model for inference');
    }
    return false;
  },
};
