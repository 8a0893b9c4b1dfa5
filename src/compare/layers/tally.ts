/**
 * Error of one tensor, batch after batch, in constant memory: sums in float64, a histogram of the float values. What a quantizer
 * does to the float values by itself is computed here, exactly as QuantizeLinear and DequantizeLinear define it; what really
 * came out of the quantized model is compared with the same values in the same loop.
 */
import { binsOf, Histogram, joinHistograms, type Bins } from '../../calibrate/histogram.ts';
import type { TypedArray } from '../../onnx/data-types.ts';
import type { Numbers } from '../metrics/metric.ts';
import { mostBins, type TensorRow } from '../report-layers.ts';
import { codeLimits, runsOf, type Quantizer } from './quantizers.ts';

/** 1.5 · 2^52: adding and subtracting it rounds to whole numbers, half to even. */
const shifter = 6755399441055744;

/** Sums over the elements seen. */
export class Sums {
  count = 0;
  /** Σx² of the float values. */
  signal = 0;
  /** Σ(x − Q(x))², and the part of it that comes from elements beyond the last codes. */
  noise = 0;
  clipped = 0;
  saturated = 0;
  zeroed = 0;
  /** Σ of the squared scale, so that noise can be told in steps where scales differ. */
  step = 0;
  min = Infinity;
  max = -Infinity;
  /** Against what the quantized model made: Σ(x − y)², Σxy, Σy², max |x − y|. */
  error = 0;
  cross = 0;
  other = 0;
  worst = 0;

  /**
   * Elements [start, end) under one scale. `codes` are those of the quantized model, undefined when there are none. Values that
   * are not finite (masks of attention) are left out.
   */
  add(
    x: Numbers,
    codes: ArrayLike<number> | undefined,
    start: number,
    end: number,
    scale: number,
    zero: number,
    qmin: number,
    qmax: number,
  ): void {
    let { signal, noise, clipped, saturated, zeroed, min, max, error, cross, other, worst } = this;
    let skipped = 0;
    for (let i = start; i < end; i++) {
      const value = x[i]!;
      if (value - value !== 0) {
        skipped++;
        continue;
      }
      if (value < min) min = value;
      if (value > max) max = value;
      const code = Math.fround(value / scale) + shifter - shifter + zero;
      const kept = code < qmin ? qmin : code > qmax ? qmax : code;
      const e = value - Math.fround((kept - zero) * scale);
      signal += value * value;
      noise += e * e;
      if (kept !== code) {
        saturated++;
        clipped += e * e;
      }
      if (kept === zero && value !== 0) zeroed++;
      if (codes === undefined) continue;
      const y = Math.fround((codes[i]! - zero) * scale);
      const d = value - y;
      error += d * d;
      cross += value * y;
      other += y * y;
      if (d > worst) worst = d;
      else if (-d > worst) worst = -d;
    }
    const count = end - start - skipped;
    this.count += count;
    this.step += count * scale * scale;
    Object.assign(this, { signal, noise, clipped, saturated, zeroed, min, max, error, cross, other, worst });
  }

  /** Two float tensors. */
  addPlain(x: Numbers, y: Numbers, length: number): void {
    let { signal, min, max, error, cross, other, worst } = this;
    let skipped = 0;
    for (let i = 0; i < length; i++) {
      const value = x[i]!;
      const d = value - y[i]!;
      if (d - d !== 0) {
        skipped++;
        continue;
      }
      if (value < min) min = value;
      if (value > max) max = value;
      signal += value * value;
      error += d * d;
      cross += value * y[i]!;
      other += y[i]! * y[i]!;
      if (Math.abs(d) > worst) worst = Math.abs(d);
    }
    this.count += length - skipped;
    Object.assign(this, { signal, min, max, error, cross, other, worst });
  }

  /** This quantizer alone. */
  isolated(): NonNullable<TensorRow['isolated']> {
    const { count, signal, noise, saturated, zeroed, step } = this;
    return {
      sqnrDb: decibels(signal, noise),
      rmseOverScale: step === 0 ? 0 : Math.sqrt(noise / step),
      saturatedPct: count === 0 ? 0 : (100 * saturated) / count,
      zeroedPct: count === 0 ? 0 : (100 * zeroed) / count,
    };
  }

  /** Both models run whole. */
  accumulated(): NonNullable<TensorRow['accumulated']> {
    const { signal, error, cross, other, worst } = this;
    const lengths = Math.sqrt(signal) * Math.sqrt(other);
    const cosine = lengths === 0 ? (signal === other ? 1 : 0) : Math.max(-1, Math.min(1, cross / lengths));
    return { sqnrDb: decibels(signal, error), cosine, maxAbs: worst };
  }
}

export function decibels(signal: number, noise: number): number {
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** One activation of both models. */
export class ActivationTally {
  readonly sums = new Sums();
  readonly #histogram = new Histogram();
  readonly #quantizer: Quantizer | undefined;

  constructor(quantizer: Quantizer | undefined) {
    this.#quantizer = quantizer;
  }

  /** @param length elements that belong to real samples; the rest filled the batch up */
  add(x: Numbers, y: TypedArray | Numbers, dims: readonly number[], length: number): void {
    const values = x.subarray(0, length);
    this.#histogram.add(values instanceof Float32Array ? values : Float32Array.from(values));
    const quantizer = this.#quantizer;
    if (quantizer === undefined) this.sums.addPlain(x, y as Numbers, length);
    else addRuns(this.sums, quantizer, x, y as ArrayLike<number>, dims, length);
  }

  row(): Pick<TensorRow, 'isolated' | 'accumulated' | 'range' | 'histogram'> {
    const { sums } = this;
    if (sums.count === 0) return {};
    const { min, max } = sums;
    const bins = binsOf(joinHistograms([this.#histogram]), 0, min, max);
    return {
      ...(this.#quantizer && { isolated: sums.isolated() }),
      accumulated: sums.accumulated(),
      range: {
        min,
        max,
        ...(this.#quantizer && clipOf(this.#quantizer)),
        p01: quantile(bins, 0.001),
        p999: quantile(bins, 0.999),
      },
      ...(max > min && { histogram: coarse(bins, min, max) }),
    };
  }
}

/** Adds a tensor whose elements may have different scales. */
export function addRuns(
  sums: Sums,
  quantizer: Quantizer,
  x: Numbers,
  codes: ArrayLike<number> | undefined,
  dims: readonly number[],
  length: number,
): void {
  const { scales, zeroPoints } = quantizer;
  const { qmin, qmax } = codeLimits(quantizer);
  const { slots, inner, scaleAt } = runsOf(quantizer, dims);
  const each = slots * inner;
  for (let start = 0, o = 0; start < length; start += each, o++) {
    for (let s = 0; s < slots; s++) {
      const from = start + s * inner;
      const at = scaleAt(o, s);
      sums.add(x, codes, from, Math.min(from + inner, length), scales[at]!, zeroPoints[at]!, qmin, qmax);
    }
  }
}

/** What the codes can say, over all channels. */
export function clipOf(quantizer: Quantizer): { clipMin: number; clipMax: number } {
  const { qmin, qmax } = codeLimits(quantizer);
  let [clipMin, clipMax] = [Infinity, -Infinity];
  quantizer.scales.forEach((scale, i) => {
    clipMin = Math.min(clipMin, (qmin - quantizer.zeroPoints[i]!) * scale);
    clipMax = Math.max(clipMax, (qmax - quantizer.zeroPoints[i]!) * scale);
  });
  return { clipMin, clipMax };
}

/** The value below which this share of the elements lies, to the width of a bin (0.4 % of the value). */
function quantile({ low, high, count, total }: Bins, share: number): number {
  let seen = 0;
  for (let i = 0; i < count.length; i++) {
    if (seen + count[i]! >= share * total) {
      const part = Math.min(1, Math.max(0, (share * total - seen) / count[i]!));
      return low[i]! + part * (high[i]! - low[i]!);
    }
    seen += count[i]!;
  }
  return high[high.length - 1] ?? 0;
}

/** Bins of equal width from min to max. */
function coarse({ low, high, count }: Bins, min: number, max: number): NonNullable<TensorRow['histogram']> {
  const counts = Array.from({ length: mostBins }, () => 0);
  for (let i = 0; i < count.length; i++) {
    const middle = (low[i]! + high[i]!) / 2;
    counts[Math.min(mostBins - 1, Math.floor(((middle - min) / (max - min)) * mostBins))]! += count[i]!;
  }
  const edges = Array.from({ length: mostBins + 1 }, (_, i) => min + ((max - min) * i) / mostBins);
  return { edges, counts };
}
