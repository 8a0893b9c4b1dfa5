/** Pad: the pads and the value to pad with became inputs; the value has the element type of the data. */
import type { Adapter } from '../adapter.ts';
import { floatScalar, intsToInput } from '../constants.ts';

export const pad11: Adapter = {
  ops: ['Pad'],
  version: 11,
  adapt(node, context) {
    intsToInput(node, 'pads', 1);
    const value = node.float('value', 0);
    node.attributes.delete('value');
    if (value === 0) return true;
    const { type } = context;
    const filler = type && floatScalar(node, 'value', type, value);
    if (!filler) throw context.cannot(`the element type of its data is ${type ?? 'not known'}`);
    node.setInput(2, filler);
    return true;
  },
};
