/**
 * Operators that cut, pad, pick or place elements: Slice, Split, Pad, Squeeze, Unsqueeze and Scatter. Their attributes became inputs.
 */
import { type Adapter, axesToInput, intsToInput, floatScalar } from '../adapter.ts';

/** Slice: starts, ends and axes became inputs. */
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

/** Split: the lengths became an input (13); without lengths the number of parts must be said (18). */
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

/** Pad: the pads and the value to pad with became inputs; the value has the element type of the data. */
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

/** Squeeze and Unsqueeze: the axes became an input. */
export const squeeze13: Adapter = { ops: ['Squeeze'], version: 13, adapt: axesToInput };

export const unsqueeze13: Adapter = {
  ops: ['Unsqueeze'],
  version: 13,
  adapt: (node) => intsToInput(node, 'axes', 1),
};

/** Scatter got another name. */
export const scatter11: Adapter = {
  ops: ['Scatter'],
  version: 11,
  adapt(node) {
    node.opType = 'ScatterElements';
    return true;
  },
};
