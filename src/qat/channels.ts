/** One factor per output channel of a layer, as folding a BatchNormalization multiplies its weight by; float32 step by step. */
import type { Node } from '../graph/node.ts';

/** Axis of the output channels in the weight; undefined when it has none of its own. */
export function outputAxis(node: Node): number | undefined {
  if (node.is('Conv')) return 0;
  if (node.is('ConvTranspose')) return node.int('group', 1) === 1 ? 1 : undefined;
  return node.int('transB', 0) === 0 ? 1 : 0;
}

/** gamma / √(variance + epsilon), rounded after each operation, as onnxruntime computes it. */
export function gainsOf(norm: {
  readonly gamma: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}): Float32Array {
  const epsilon = Math.fround(norm.epsilon);
  return norm.gamma.map((gamma, i) => gamma / Math.fround(Math.sqrt(Math.fround(norm.variance[i]! + epsilon))));
}

/** Each channel of `values` times (or, inverse, divided by) its factor. */
export function scaleChannels(
  values: Float32Array,
  dims: readonly number[],
  axis: number,
  factors: Float32Array,
  out: Float32Array,
  inverse = false,
): Float32Array {
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let start = 0, block = 0; start < values.length; start += inner, block++) {
    const factor = factors[block % factors.length]!;
    for (let i = start; i < start + inner; i++) out[i] = inverse ? values[i]! / factor : values[i]! * factor;
  }
  return out;
}
