/** Split: the lengths became an input (13); without lengths the number of parts must be said (18). */
import type { Adapter } from '../adapter.ts';
import { intsToInput } from '../constants.ts';

export const split13: Adapter = {
  ops: ['Split'],
  version: 13,
  adapt: (node) => intsToInput(node, 'split', 1),
};

export const split18: Adapter = {
  ops: ['Split'],
  version: 18,
  adapt(node) {
    if (node.input(1)) return false;
    node.setInt('num_outputs', node.outputs.length);
    return true;
  },
};
