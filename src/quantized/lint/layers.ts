/**
 * Layers as integer kernels will see them. What fuses them looks at where quantizers stand, and hardly at what those say: kernels read
 * the scales of a weight as those of the output channels, and add an int32 bias at (input scale × weight scale). onnxruntime computes
 * a layer with scales on another axis wrongly, without a word; one with another bias scale it leaves float since 1.30 (beyond one per
 * cent), while older versions and other runtimes add a wrong bias.
 */
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { specOf } from '../../ops/index.ts';

/** Operators whose integer kernels take weights. They write float too, unless they convolve. */
const kernels: ReadonlyMap<string, { readonly floatOutput: boolean }> = new Map([
  ['Conv', { floatOutput: false }],
  ['Gemm', { floatOutput: true }],
  ['MatMul', { floatOutput: true }],
]);

/** Whether onnxruntime would compute this layer on codes. */
export function runsOnCodes(node: Node): boolean {
  const kernel = node.domain === '' ? kernels.get(node.opType) : undefined;
  if (!kernel || ![0, 1].every((index) => isDequantized(node, index))) return false;
  if (node.input(2) && !isDequantized(node, 2)) return false;
  return kernel.floatOutput || isQuantized(node);
}

/** The axis along which a layer's kernel reads the scales of a weight of this rank; undefined: it takes one scale. */
export function channelAxis(node: Node, rank: number): number | undefined {
  return specOf(node)?.weight?.(node, rank).axis;
}

/** What an integer kernel multiplies the sum of a channel by: input scale × weight scale, in float32. Undefined when one is computed. */
export function sumScales(node: Node): Float32Array | undefined {
  const [input, weight] = [0, 1].map((index) => scaleOf(node, index)?.floats());
  if (input?.length !== 1 || !weight) return undefined;
  return Float32Array.from(weight, (scale) => Math.fround(input[0]! * scale));
}

function scaleOf(node: Node, index: number): Tensor | undefined {
  return isDequantized(node, index) ? node.input(index)!.producer!.constant(1) : undefined;
}

function isDequantized(node: Node, index: number): boolean {
  return node.input(index)?.producer?.is('DequantizeLinear') === true;
}

/** Whether a QuantizeLinear alone reads the result, perhaps through Relu or Clip. */
function isQuantized(node: Node): boolean {
  let user = node.output()?.soleUser;
  while (user && specOf(user)?.clamp) user = user.output()?.soleUser;
  return user?.is('QuantizeLinear') === true;
}
