/** Upsample: the scales became an input (9), then the operator became Resize (10), which enlarges the same way. */
import type { Adapter } from '../adapter.ts';
import { constant } from '../constants.ts';

export const upsample9: Adapter = {
  ops: ['Upsample'],
  version: 9,
  adapt(node) {
    const scales = node.attributes.get('scales');
    if (scales?.kind !== 'floats') return false;
    node.attributes.delete('scales');
    node.setInput(1, constant(node, 'scales', 'float32', [scales.value.length], Float32Array.from(scales.value)));
    return true;
  },
};

export const upsample10: Adapter = {
  ops: ['Upsample'],
  version: 10,
  adapt(node) {
    node.opType = 'Resize';
    return true;
  },
};
