/** RoiAlign: the old way of placing pixels must be asked for. */
import type { Adapter } from '../adapter.ts';

export const roiAlign16: Adapter = {
  ops: ['RoiAlign'],
  version: 16,
  adapt(node) {
    node.setString('coordinate_transformation_mode', 'output_half_pixel');
    return true;
  },
};
