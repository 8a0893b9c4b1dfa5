/** Slice: starts, ends and axes became inputs. */
import type { Adapter } from '../adapter.ts';
import { intsToInput } from '../constants.ts';

export const slice10: Adapter = {
  ops: ['Slice'],
  version: 10,
  adapt(node) {
    intsToInput(node, 'starts', 1);
    intsToInput(node, 'ends', 2);
    intsToInput(node, 'axes', 3);
    return true;
  },
};
