/**
 * HQQ (half-quadratic quantization, Badri & Shaji 2023): block parameters that minimise the l_p norm, p = 0.7, of the weight
 * error, in which a few outliers weigh little. No data. In turns, with the error e in units of the scale:
 *
 *   e ← shrink(W/s - (Q - z)),   shrink(x) = sign(x)·max(0, |x| - |x|^(p-1)/β),   then the least squares fit of W - s·e
 *
 * with β growing by 1 % per step. The original keeps the scale and moves a real zero point; integer kernels want integer ones,
 * and rounding would undo a shift below one half. So the line through (Q, W - s·e) gives both, the zero point is rounded, and
 * the scale is fitted again for it. A block is done when its norm no longer falls.
 */
import { encodeBlock, quantizeBlocks, type BlockBits, type Blocks } from './blocks.ts';

const p = 0.7;
const steps = 20;
const firstBeta = 10;
const betaGrowth = 1.01;

/** As quantizeBlocks, asymmetric. */
export function quantizeBlocksHqq(
  weights: Float32Array,
  rows: number,
  cols: number,
  blockSize: number,
  bits: BlockBits,
): Blocks {
  const nearest = quantizeBlocks(weights, rows, cols, blockSize, bits, false);
  const { codes, scales } = nearest;
  const zeroPoints = nearest.zeroPoints!;
  const top = 2 ** bits - 1;
  const tried = new Uint8Array(blockSize);
  for (let row = 0, block = 0; row < rows; row++) {
    const end = (row + 1) * cols;
    for (let start = row * cols; start < end; start += blockSize, block++) {
      const values = weights.subarray(start, Math.min(start + blockSize, end));
      const at = block * blockSize;
      tried.set(codes.subarray(at, at + values.length));
      let scale = scales[block]!;
      let zero = zeroPoints[block]!;
      let least = norm(values, tried, scale, zero);
      let beta = firstBeta;
      for (let step = 0; step < steps && least > 0; step++, beta *= betaGrowth) {
        const next = fit(values, tried, scale, zero, beta, top);
        if (!next || (next.scale === scale && next.zero === zero)) break;
        ({ scale, zero } = next);
        encodeBlock(values, 0, values.length, scale, zero, top, tried, 0);
        const found = norm(values, tried, scale, zero);
        if (found >= least) break;
        least = found;
        scales[block] = scale;
        zeroPoints[block] = zero;
        codes.set(tried.subarray(0, values.length), at);
        codes.fill(zero, at + values.length, at + blockSize);
      }
    }
  }
  return { codes, scales, zeroPoints };
}

/** The parameters after one half-quadratic step; undefined where the codes tell nothing of the scale. */
function fit(
  values: Float32Array,
  codes: Uint8Array,
  scale: number,
  zero: number,
  beta: number,
  top: number,
): { scale: number; zero: number } | undefined {
  const n = values.length;
  let [sumQ, sumQQ, sumW, sumQW] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const code = codes[i]!;
    const error = values[i]! / scale - (code - zero);
    const size = Math.abs(error);
    const kept = size === 0 ? 0 : Math.sign(error) * Math.max(0, size - size ** (p - 1) / beta);
    const target = values[i]! - scale * kept;
    sumQ += code;
    sumQQ += code * code;
    sumW += target;
    sumQW += code * target;
  }
  const slope = (n * sumQW - sumQ * sumW) / (n * sumQQ - sumQ * sumQ);
  if (!(Math.abs(slope) >= 2 ** -126)) return undefined;
  const next = Math.min(top, Math.max(0, Math.round((slope * sumQ - sumW) / (n * slope))));
  // Σ (q - z)·w and Σ (q - z)², from the sums at hand.
  const again = (sumQW - next * sumW) / (sumQQ - 2 * next * sumQ + n * next * next);
  return Math.abs(again) >= 2 ** -126 ? { scale: Math.fround(again), zero: next } : undefined;
}

function norm(values: Float32Array, codes: Uint8Array, scale: number, zero: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]! - (codes[i]! - zero) * scale) ** p;
  return sum;
}
