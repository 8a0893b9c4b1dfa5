/**
 * Operators that sample images anew: Resize and its ancestor Upsample, GridSample and RoiAlign. What changed is how they name and place
 * the pixels between which they interpolate.
 */
import { type Adapter, type AdaptContext, constant } from '../adapter.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/**
 * Resize: until 10 there was one way to place pixels, now called 'asymmetric'. Its nearest pixel was the one below when
 * enlarging and the one above when shrinking (the standard left it open; this is what onnxruntime does), axis by axis, so
 * a Resize that may do both becomes two. At 13 empty inputs became absent ones and a coordinate mode went.
 */
export const resize11: Adapter = {
  ops: ['Resize'],
  version: 11,
  adapt(node) {
    const scales = node.input(1)!;
    node.setInput(1, constant(node, 'roi', 'float32', [0], new Float32Array()));
    node.setInput(2, scales);
    node.setString('coordinate_transformation_mode', 'asymmetric');
    if (node.string('mode', 'nearest') !== 'nearest') return true;
    const direction = directionOf(node, scales);
    if (direction === 'both') splitInTwo(node, scales);
    else node.setString('nearest_mode', direction === 'enlarge' ? 'floor' : 'ceil');
    return true;
  },
};

function directionOf(node: Node, scales: Value): 'enlarge' | 'shrink' | 'both' {
  // Upsample, which this node was in the file, only enlarges.
  if (node.origin?.opType === 'Upsample') return 'enlarge';
  // A default of a graph input counts: nobody overrides it.
  const factors = scales.initializer?.floats();
  if (factors?.every((factor) => factor >= 1)) return 'enlarge';
  return factors?.every((factor) => factor <= 1) ? 'shrink' : 'both';
}

/** First the axes that grow, then those that shrink: on the others each of the two copies. */
function splitInTwo(node: Node, scales: Value): void {
  const graph = node.graph!;
  const base = node.output()!.name;
  const one = constant(node, 'scale', 'float32', [1], Float32Array.of(1));
  const growth = graph.insertBefore(graph.makeNode('Max', [scales, one], { outputs: [`${base}_growth`] }), node);
  const shrinkage = graph.insertBefore(graph.makeNode('Min', [scales, one], { outputs: [`${base}_shrinkage`] }), node);
  const inputs = [node.input(0)!, node.input(1)!, growth.output()!];
  const enlarged = graph.insertBefore(graph.makeNode('Resize', inputs, { outputs: [`${base}_enlarged`] }), node);
  for (const [name, attribute] of node.attributes) enlarged.attributes.set(name, attribute);
  enlarged.setString('nearest_mode', 'floor');
  node.setInput(0, enlarged.output()!);
  node.setInput(2, shrinkage.output()!);
  node.setString('nearest_mode', 'ceil');
}

export const resize13: Adapter = {
  ops: ['Resize'],
  version: 13,
  adapt(node, context) {
    const empty = [1, 2].filter((index) => node.input(index)?.initializer?.size === 0);
    for (const index of empty) node.setInput(index, null);
    const gone = node.string('coordinate_transformation_mode') === 'tf_half_pixel_for_nn';
    if (gone) toHalfPixel(node, context);
    return gone || empty.length > 0;
  },
};

/** floor((x + 0.5) / s) is (x + 0.5) / s - 0.5 rounded half up; the other roundings have no such twin. */
function toHalfPixel(node: Node, context: AdaptContext): void {
  const rounding = node.string('nearest_mode', 'round_prefer_floor');
  if (node.string('mode', 'nearest') !== 'nearest' || rounding !== 'floor') {
    throw context.cannot(`no later Resize places pixels like 'tf_half_pixel_for_nn' with nearest_mode '${rounding}'`);
  }
  node.setString('coordinate_transformation_mode', 'half_pixel');
  node.setString('nearest_mode', 'round_prefer_ceil');
}

/** Upsample: the scales became an input (9), then the operator became Resize (10), which enlarges the same way. */
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

/** GridSample: the modes were renamed when it learned other ranks. */
const renamed: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

export const gridSample20: Adapter = {
  ops: ['GridSample'],
  version: 20,
  adapt(node) {
    const mode = node.string('mode', 'bilinear');
    node.setString('mode', renamed[mode] ?? mode);
    return true;
  },
};

/** RoiAlign: the old way of placing pixels must be asked for. */
export const roiAlign16: Adapter = {
  ops: ['RoiAlign'],
  version: 16,
  adapt(node) {
    node.setString('coordinate_transformation_mode', 'output_half_pixel');
    return true;
  },
};
