/** Averages over the whole plane, written as AveragePool or ReduceMean, become GlobalAveragePool. */
import type { Node } from '../graph/node.ts';
import { rulePass, type Pass } from './pass.ts';
import { createPlanes } from './plane.ts';

/**
 * An AveragePool whose window is the whole plane is GlobalAveragePool. onnxruntime's integer kernel of that one is faster than the way
 * to float and back (1.13 times, 64 to 512 channels), as its integer AveragePool with smaller windows is not. Only where the size of the
 * plane follows from what is declared: what a trace shows holds for the sizes that were traced.
 */
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

/**
 * ReduceMean over the two spatial axes of an image is GlobalAveragePool, which has an int8 kernel. Without keepdims it
 * is a pool and a Reshape: as many nodes as before only where a Reshape or Flatten follows anyway.
 */
export const reduceMeanToPool = rulePass(
  'reduce-mean-to-pool',
  'ReduceMean over height and width becomes GlobalAveragePool',
  (node, { facts }) => {
    if (!node.is('ReduceMean')) return undefined;
    const { rank, type } = facts.of(node.input(0));
    const axes = axesOf(node, rank)?.join();
    // Other reductions have nothing in common with a pool.
    if (rank === undefined ? axes !== '2,3' && axes !== '-2,-1' : rank !== 4 || axes !== '2,3') return undefined;
    const apply = (): string | undefined => {
      if (rank === undefined) return `the rank of '${node.input(0)!.name}' is not known`;
      if (type !== 'float32' && type !== 'float16') return `its element type is ${type ?? 'not known'}`;
      if (node.int('keepdims', 1) === 0 && !reshapedNext(node))
        return 'it drops the axes (keepdims = 0): a pool would need one more node to reshape its result';
      return toPool(node);
    };
    return { nodes: [node], apply };
  },
);

/** Constant axes, ascending and not negative; an attribute before opset 18, an input since. */
function axesOf(node: Node, rank: number | undefined): number[] | undefined {
  const axes = node.ints('axes') ?? node.constant(1)?.ints();
  return axes?.map((axis) => (axis < 0 && rank !== undefined ? axis + rank : axis)).sort((a, b) => a - b);
}

/** True when the only reader lays [N, C] and [N, C, 1, 1] out alike. */
function reshapedNext(node: Node): boolean {
  const output = node.output();
  const reader = output?.soleUser;
  if (!reader || reader.input(0) !== output) return false;
  return reader.is('Reshape') || (reader.is('Flatten') && reader.int('axis', 1) >= 0);
}

function toPool(node: Node): undefined {
  const output = node.output()!;
  if (node.int('keepdims', 1) === 0 && output.info) {
    const elemType = output.info.type?.tensorType?.elemType ?? 0;
    const dims = output.dims;
    output.setType(elemType, dims && [...dims, 1, 1]);
  }
  node.opType = 'GlobalAveragePool';
  node.attributes.clear();
  node.truncateInputs(1);
}
