/**
 * Ratios of scales that onnxruntime's integer kernels can compute. QLinearGlobalAveragePool refuses input scale / (output scale ×
 * pixels) outside [2^-32, 256), and where its work is split among threads, the refusal ends the process. QLinearAveragePool,
 * QLinearAdd and QLinearMul round their result to int32 before they saturate it: what passes 2^31 becomes the lowest code instead of
 * the highest. Products and table look-ups have no such limits. Source: onnxruntime's MLAS (qlgavgpool, qladd, qlmul) and
 * contrib_ops/cpu/quantization/qlinear_pool, each of them run beyond its limits.
 *
 * Such ratios are not written (`limitScale`), are lint findings, and are refused before a session opens (`uncomputable`).
 */
import type { Node } from '../graph/node.ts';
import type { Dim, Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';
import { specOf } from '../ops/index.ts';
import type { QuantParams } from './quant-params.ts';

/** The largest sum of codes' distances from their zero points that the result may have, in units of the output scale. */
const largestResult = 2 ** 30;
const codes = 255;

interface Kernel {
  /** Positions of the operands in the float operator. */
  readonly operands: readonly number[];
  /** What the kernel's result can reach, for these input scales. */
  reach(scales: readonly number[]): number;
  /** It averages whole images, and refuses ratios. */
  readonly pools?: true;
}

const average = ([scale]: readonly number[]): number => codes * scale!;
const kernels: ReadonlyMap<string, Kernel> = new Map<string, Kernel>([
  ['GlobalAveragePool', { operands: [0], reach: average, pools: true }],
  ['AveragePool', { operands: [0], reach: average }],
  ['Add', { operands: [0, 1], reach: (scales) => scales.reduce((sum, scale) => sum + codes * scale, 0) }],
  ['Mul', { operands: [0, 1], reach: (scales) => scales.reduce((product, scale) => product * codes * scale, 1) }],
]);

/**
 * The parameters, their scale limited to what the kernel computes for inputs of these scales, whatever the image. What that costs
 * cannot be seen: steps of the result then are finer than the noise that rounding the input makes, or hold its whole range in one.
 */
export function limitScale(op: string, inputScales: readonly number[], params: QuantParams): QuantParams {
  const kernel = params.type.endsWith('int8') ? kernels.get(op) : undefined;
  if (!kernel || inputScales.length === 0) return params;
  const reach = kernel.reach(inputScales);
  // An average of at least one pixel: ratio × 1 below 256; and of at most 2^24: ratio / 2^24 at least 2^-32.
  const [least, most] = kernel.pools ? [reach / 2 ** 15, reach] : [reach / largestResult, Infinity];
  const scale = Math.fround(Math.min(Math.max(params.scale, least), most));
  return scale === params.scale ? params : { ...params, scale };
}

/** A ratio that a kernel cannot compute. */
export interface Uncomputable {
  readonly inputScales: readonly number[];
  readonly outputScale: number;
  /** The kernel throws, in worker threads of onnxruntime without anyone to catch it; else it writes wrong codes. */
  readonly refused: boolean;
}

/** Finds the ratio that the kernel of an operator cannot compute, between quantizers that onnxruntime will fuse or on codes. */
export function uncomputable(node: Node): Uncomputable | undefined {
  const found = node.domain === '' ? betweenQuantizers(node) : onCodes(node);
  if (!found) return undefined;
  const { kernel, inputScales, outputScale, pixels } = found;
  const reach = kernel.reach(inputScales) / outputScale;
  const ratio = inputScales[0]! / outputScale;
  const refused =
    kernel.pools === true && (ratio / (pixels ?? largestImage) >= 256 || ratio / (pixels ?? 1) < 2 ** -32);
  const wraps = kernel.pools !== true && reach >= 2 ** 31;
  return refused || wraps ? { inputScales, outputScale, refused } : undefined;
}

/** Pixels of an image whose size is not known: hardly any pool sees more. */
const largestImage = 2 ** 16;

interface Found {
  readonly kernel: Kernel;
  readonly inputScales: readonly number[];
  readonly outputScale: number;
  readonly pixels: number | undefined;
}

function betweenQuantizers(node: Node): Found | undefined {
  const kernel = kernels.get(node.opType);
  if (!kernel) return undefined;
  const before = kernel.operands.map((index) => node.input(index)?.producer);
  const inputScales = before.map((each) => (each?.is('DequantizeLinear') ? scaleOf(each.input(1)) : undefined));
  let user = node.output()?.soleUser;
  while (user && specOf(user)?.clamp) user = user.output()?.soleUser;
  const outputScale = user?.is('QuantizeLinear') ? scaleOf(user.input(1)) : undefined;
  const eight = [...before.map((each) => each?.input(2)), user?.input(2)].every((zero) => !zero?.type?.endsWith('16'));
  if (!eight || outputScale === undefined || !allKnown(inputScales)) return undefined;
  return { kernel, inputScales, outputScale, pixels: pixelsOf(dimsOf(node.input(0)), 2) };
}

/** QLinear operators: each operand with scale and zero point, then those of the result. */
function onCodes(node: Node): Found | undefined {
  const kernel = node.domain === 'com.microsoft' ? kernels.get(node.opType.replace(/^QLinear/, '')) : undefined;
  if (!kernel || !node.opType.startsWith('QLinear')) return undefined;
  const inputScales = kernel.operands.map((_, index) => scaleOf(node.input(3 * index + 1)));
  const outputScale = scaleOf(node.input(3 * kernel.operands.length));
  if (outputScale === undefined || !allKnown(inputScales)) return undefined;
  const first = node.int('channels_last', 0) === 0 ? 2 : 1;
  return { kernel, inputScales, outputScale, pixels: pixelsOf(dimsOf(node.input(0)), first) };
}

const allKnown = (scales: readonly (number | undefined)[]): scales is number[] => !scales.includes(undefined);

function scaleOf(value: Value | undefined): number | undefined {
  const { constant } = value ?? {};
  return constant?.size === 1 && constant.type.name === 'float32' ? constant.floats()[0] : undefined;
}

/** Codes and what they are made of have the same ones. */
function dimsOf(value: Value | undefined): readonly Dim[] | undefined {
  for (let at = value; at; at = at.producer!.input(0)) {
    if (at.dims || !at.producer?.is('QuantizeLinear', 'DequantizeLinear')) return at.dims;
  }
  return undefined;
}

function pixelsOf(dims: readonly Dim[] | undefined, first: number): number | undefined {
  const image = dims?.slice(first, first + dims.length - 2) ?? [null];
  const known = image.filter((dim) => typeof dim === 'number');
  return known.length === image.length ? elementCount(known) : undefined;
}
