/**
 * An AveragePool whose window is the whole plane is GlobalAveragePool. onnxruntime's integer kernel of that one is faster than the way
 * to float and back (1.13 times, 64 to 512 channels), as its integer AveragePool with smaller windows is not. Only where the size of the
 * plane follows from what is declared: what a trace shows holds for the sizes that were traced.
 */
import type { Node } from '../graph/node.ts';
import type { Pass } from './pass.ts';
import { createPlanes } from './plane.ts';

export const globalPool: Pass = {
  name: 'global-pool',
  summary: 'AveragePool over the whole plane becomes GlobalAveragePool',
  run(model, context) {
    let changed = false;
    const planeOf = createPlanes();
    for (const node of model.allNodes()) {
      if (!node.is('AveragePool') || !coversPlane(node, planeOf(node.input(0)!))) continue;
      node.opType = 'GlobalAveragePool';
      node.attributes.clear();
      context.applied([node.label], node.label);
      changed = true;
    }
    return changed;
  },
};

function coversPlane(node: Node, plane: readonly number[] | undefined): boolean {
  const kernel = node.ints('kernel_shape') ?? [];
  const padded = (node.ints('pads') ?? []).some((pad) => pad !== 0);
  const automatic = node.string('auto_pad', 'NOTSET');
  // SAME pads only what strides leave over; that is not worth telling apart.
  if (plane === undefined || padded || !['NOTSET', 'VALID', ''].includes(automatic)) return false;
  if ((node.ints('dilations') ?? []).some((step) => step !== 1)) return false;
  return plane.length > 0 && plane.length === kernel.length && plane.every((size, axis) => size === kernel[axis]);
}
