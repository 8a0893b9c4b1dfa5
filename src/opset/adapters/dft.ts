/** DFT: the axis became an input, with another default. */
import type { Adapter } from '../adapter.ts';
import { constant } from '../constants.ts';

export const dft20: Adapter = {
  ops: ['DFT'],
  version: 20,
  adapt(node) {
    const axis = node.int('axis', 1);
    node.attributes.delete('axis');
    node.setInput(2, constant(node, 'axis', 'int64', [], BigInt64Array.of(BigInt(axis))));
    return true;
  },
};
