/**
 * HQQ (half-quadratic quantization, Badri & Shaji 2023): block parameters that minimise an l_p norm with p < 1 of the weight error,
 * in which a few outliers weigh little. No data. In turns, with the error e in units of the scale:
 *
 *   e ← shrink(W/s - (Q - z)),   shrink(x) = sign(x)·max(0, |x| - |x|^(p-1)/β),   then the least squares fit of W - s·e
 *
 * with β growing by 1 % per step. The original keeps the scale and moves a real zero point; integer kernels want integer ones,
 * and rounding would undo a shift below one half. So the line through (Q, W - s·e) gives both, the zero point is rounded, and
 * the scale is fitted again for it. A block is done when its norm no longer falls. The original has p = 0.7; 3/4 needs square roots
 * alone, which are rounded alike everywhere, so that the kernel (blocks.wat) gives these very bits, many times as fast.
 */
import { encodeBlock, quantizeBlocks, type BlockBits, type Blocks } from './blocks.ts';

const steps = 20;
const firstShrink = Math.fround(0.1);
const shrinkDecay = Math.fround(1 / 1.01);
const f = Math.fround;

/** As quantizeBlocks, asymmetric: what the kernel computes. */
export function quantizeBlocksHqq(
  weights: Float32Array,
  rows: number,
  cols: number,
  blockSize: number,
  bits: BlockBits,
): Blocks {
  const { codes, scales, zeroPoints: nearest } = quantizeBlocks(weights, rows, cols, blockSize, bits, false);
  const zeroPoints = nearest!;
  const top = 2 ** bits - 1;
  for (let row = 0, block = 0; row < rows; row++) {
    const end = (row + 1) * cols;
    for (let start = row * cols; start < end; start += blockSize, block++) {
      const values = weights.subarray(start, Math.min(start + blockSize, end));
      const at = block * blockSize;
      const { scale, zero } = refineBlock(values, scales[block]!, zeroPoints[block]!, top);
      scales[block] = scale;
      zeroPoints[block] = zero;
      encodeBlock(values, 0, values.length, scale, zero, top, codes, at);
      codes.fill(zero, at + values.length, at + blockSize);
    }
  }
  return { codes, scales, zeroPoints };
}

interface Parameters {
  readonly scale: number;
  readonly zero: number;
}

/** Every operation rounds to float32, in the order of the kernel. */
function refineBlock(values: Float32Array, firstScale: number, firstZero: number, top: number): Parameters {
  const n = values.length;
  let [scale, zero, shrink, least] = [firstScale, firstZero, firstShrink, Infinity];
  let best: Parameters = { scale, zero };
  for (let step = 0; ; step++, shrink = f(shrink * shrinkDecay)) {
    let [norm, sumD, sumDD, sumW, sumDW] = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const value = values[i]!;
      const quotient = f(value / scale);
      const code = Math.min(top - zero, Math.max(-zero, roundHalfEven(quotient)));
      const root = f(Math.sqrt(Math.abs(f(value - f(code * scale)))));
      norm = f(norm + f(root * f(Math.sqrt(root))));
      const error = f(quotient - code);
      const size = Math.abs(error);
      const left = f(size - f(shrink / f(Math.sqrt(f(Math.sqrt(size))))));
      const kept = left > 0 ? left : 0;
      const target = f(value - f(scale * (error < 0 ? -kept : kept)));
      sumD = f(sumD + code);
      sumDD = f(sumDD + f(code * code));
      sumW = f(sumW + target);
      sumDW = f(sumDW + f(code * target));
    }
    if (!(norm < least)) return best;
    least = norm;
    best = { scale, zero };
    if (step === steps || norm === 0) return best;
    const slope = f(f(f(n * sumDW) - f(sumD * sumW)) / f(f(n * sumDD) - f(sumD * sumD)));
    const shift = f(f(f(slope * sumD) - sumW) / f(n * slope));
    const next = Math.min(top, Math.max(0, roundHalfEven(f(zero + shift))));
    const delta = next - zero;
    // Σ (d - δ)·w and Σ (d - δ)², from the sums at hand.
    const spread = f(f(sumDD - f(2 * delta * sumD)) + f(n * delta * delta));
    const again = f(f(sumDW - f(delta * sumW)) / spread);
    if (!(Math.abs(slope) >= 2 ** -126 && Math.abs(again) >= 2 ** -126)) return best;
    if (again === scale && next === zero) return best;
    [scale, zero] = [again, next];
  }
}

/** Of a float32. */
function roundHalfEven(x: number): number {
  const magic = 1.5 * 2 ** 52;
  return Math.abs(x) < 2 ** 24 ? x + magic - magic : x;
}
