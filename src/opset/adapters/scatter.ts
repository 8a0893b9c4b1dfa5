/** Scatter got another name. */
import type { Adapter } from '../adapter.ts';

export const scatter11: Adapter = {
  ops: ['Scatter'],
  version: 11,
  adapt(node) {
    node.opType = 'ScatterElements';
    return true;
  },
};
