/** Dropout: outside training it copies its input, so only its form matters, unless somebody reads the mask. */
import type { Node } from '../../graph/node.ts';
import type { AdaptContext, Adapter } from '../adapter.ts';
import { floatScalar } from '../constants.ts';

/** The mask became bool. */
export const dropout10: Adapter = { ops: ['Dropout'], version: 10, adapt: dropMask };

/** The ratio became an input; outside training the mask is all ones from here on, and was not defined before. */
export const dropout12: Adapter = {
  ops: ['Dropout'],
  version: 12,
  adapt(node, context) {
    const masked = dropMask(node, context);
    const ratio = node.float('ratio');
    node.attributes.delete('ratio');
    if (ratio === undefined) return masked;
    node.setInput(1, floatScalar(node, 'ratio', 'float32', ratio)!);
    return true;
  },
};

function dropMask(node: Node, context: AdaptContext): boolean {
  const mask = node.output(1);
  if (!mask) return false;
  if (mask.useCount > 0) throw context.cannot(`its mask '${mask.name}' is read, and the mask changed its meaning`);
  node.setOutput(1, null);
  mask.graph.removeValue(mask);
  return true;
}
