/** Squeeze and Unsqueeze: the axes became an input. */
import type { Adapter } from '../adapter.ts';
import { axesToInput, intsToInput } from '../constants.ts';

export const squeeze13: Adapter = { ops: ['Squeeze'], version: 13, adapt: axesToInput };

export const unsqueeze13: Adapter = {
  ops: ['Unsqueeze'],
  version: 13,
  adapt: (node) => intsToInput(node, 'axes', 1),
};
