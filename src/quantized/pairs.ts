/**
 * Weights whose u8 × s8 products never saturate on x64 CPUs without VNNI (AVX2, AVX-512). Their kernels multiply codes in pairs of neighbours
 * along the reduction and add the two products in 16 bits: with activations up to 255, two codes of one sign may sum to at
 * most 128 (255 · 128 = 32640). Which codes are neighbours is the kernel's order: convolutions run channels-last. Full-range models
 * lose 10–15 dB there without a word; limited pairs are exact on every CPU, at a fraction of the loss of 7-bit weights.
 */
import type { WeightLayout } from '../ops/op.ts';
import { clamp, roundHalfEven } from './quant-params.ts';

/** The order in which a kernel multiplies the elements of a weight. */
export interface KernelOrder {
  readonly channels: number;
  /** Length of the reduction. */
  readonly length: number;
  /** Position in the tensor of element k of a channel: channel · channelStride + offsets[k]. */
  readonly channelStride: number;
  readonly offsets: Int32Array;
}

/** The largest sum of two neighbouring codes of one sign. */
const limit = 128;
/** Scales tried between the full-range one and the one under which no pair needs lowering. */
const steps = 16;

/** The order of the kernels that read a weight of this layout. */
export function kernelOrder(dims: readonly number[], layout: WeightLayout): KernelOrder {
  if (layout === 'columns') {
    const [length, channels] = [dims[0]!, dims[1]!];
    return { channels, length, channelStride: 1, offsets: Int32Array.from({ length }, (_, k) => k * channels) };
  }
  const length = dims.slice(1).reduce((n, d) => n * d, 1);
  const depth = layout === 'conv' ? dims[1]! : length;
  const area = length / depth;
  const offsets = Int32Array.from({ length }, (_, k) => (k % depth) * area + Math.floor(k / depth));
  return { channels: dims[0]!, length, channelStride: length, offsets };
}

/** Lowers, in place, each pair of codes that could saturate; the change is split evenly between the two. */
export function limitPairs(codes: Int8Array | Uint8Array | Int16Array | Uint16Array, order: KernelOrder): void {
  const { channels, length, channelStride, offsets } = order;
  for (let channel = 0; channel < channels; channel++) {
    const base = channel * channelStride;
    for (let k = 0; k + 1 < length; k += 2) {
      const i = base + offsets[k]!;
      const j = base + offsets[k + 1]!;
      const [a, b] = limited(codes[i]!, codes[j]!);
      codes[i] = a;
      codes[j] = b;
    }
  }
}

/** Whether some pair of codes could saturate. */
export function hasHeavyPair(codes: ArrayLike<number>, order: KernelOrder): boolean {
  for (let channel = 0; channel < order.channels; channel++) {
    const base = channel * order.channelStride;
    for (let k = 0; k + 1 < order.length; k += 2) {
      const [a, b] = [codes[base + order.offsets[k]!]!, codes[base + order.offsets[k + 1]!]!];
      if (a * b > 0 && Math.abs(a + b) > limit) return true;
    }
  }
  return false;
}

function limited(a: number, b: number): [number, number] {
  const excess = Math.abs(a + b) - limit;
  if (a * b <= 0 || excess <= 0) return [a, b];
  const sign = Math.sign(a);
  const half = excess >> 1;
  const more = excess - half;
  return Math.abs(a) >= Math.abs(b) ? [a - sign * more, b - sign * half] : [a - sign * half, b - sign * more];
}

/**
 * Finds the scale, between `scale` and the least one that lowers no pair, with the least squared error over the given channels.
 * @param values float weights
 * @param rows channels that share the scale
 * @param top the largest code
 */
export function widenScale(
  values: Float32Array,
  order: KernelOrder,
  rows: readonly number[],
  scale: number,
  top: number,
): number {
  const pairs = inKernelOrder(values, order, rows);
  let heaviest = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const [a, b] = [pairs[i]!, pairs[i + 1]!];
    if (a * b > 0) heaviest = Math.max(heaviest, Math.abs(a + b));
  }
  const widest = heaviest / limit;
  if (widest <= scale) return scale;
  let best = scale;
  let least = Infinity;
  for (let step = 0; step <= steps; step++) {
    const candidate = Math.fround(scale + ((widest - scale) * step) / steps);
    const error = squaredError(pairs, candidate, top);
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return best;
}

/** Returns the channels one after the other; a last element without a neighbour is paired with zero. */
function inKernelOrder(values: Float32Array, order: KernelOrder, rows: readonly number[]): Float32Array {
  const { length, channelStride, offsets } = order;
  const padded = length + (length % 2);
  const pairs = new Float32Array(rows.length * padded);
  rows.forEach((row, index) => {
    for (let k = 0; k < length; k++) pairs[index * padded + k] = values[row * channelStride + offsets[k]!]!;
  });
  return pairs;
}

function squaredError(pairs: Float32Array, scale: number, top: number): number {
  let error = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const a = pairs[i]!;
    const b = pairs[i + 1]!;
    const p = clamp(roundHalfEven(a / scale), -top, top);
    const q = clamp(roundHalfEven(b / scale), -top, top);
    // Both codes move by half of what the pair has too much, each by its own sign.
    const excess = p * q > 0 ? Math.max(0, Math.abs(p + q) - limit) / 2 : 0;
    const left = a - (p - Math.sign(p) * excess) * scale;
    const right = b - (q - Math.sign(q) * excess) * scale;
    error += left * left + right * right;
  }
  return error;
}
