/** TopK: k became an input. */
import type { Adapter } from '../adapter.ts';
import { int64Constant } from '../constants.ts';

export const topK10: Adapter = {
  ops: ['TopK'],
  version: 10,
  adapt(node) {
    const k = node.int('k');
    if (k === undefined) return false;
    node.attributes.delete('k');
    node.setInput(1, int64Constant(node, 'k', [k]));
    return true;
  },
};
