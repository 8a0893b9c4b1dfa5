/**
 * Error of one tensor, batch after batch, in constant memory: sums in float64, a histogram of the float values. What a quantizer
 * does to the float values by itself is computed here, exactly as QuantizeLinear and DequantizeLinear define it; what really
 * came out of the quantized model is compared with the same values in the same loop.
 */
import { binsOf, Histogram, joinHistograms, type Bins } from '../../calibrate/histogram.ts';
import type { Counter } from '../../calibrate/kernels/counter.ts';
import type { TypedArray } from '../../onnx/data-types.ts';
import type { Numbers } from '../metrics/metric.ts';
import { mostBins, type TensorRow } from '../report-details.ts';
import { codeLimits, runsOf, type Quantizer } from './quantizers.ts';
import { stepsOf, sum, sumByTable, type Found, type Step } from './sum.ts';
import { windowsOf } from './windows.ts';

/**
 * Elements per call of the inner loop: V8 optimizes a function that is called often whole, but of one that loops for long only
 * the loop, again at every call (measured: three times slower).
 */
const chunk = 4096;

/** Sums over the elements seen. */
export class Sums {
  count = 0;
  saturated = 0;
  /** Elements whose code stands for 0, those that are 0 included. */
  zeros = 0;
  /** Σx² of the float values. */
  signal = 0;
  /** Σ(x − Q(x))². */
  noise = 0;
  /** Σ of the squared scale, so that noise can be told in steps where scales differ. */
  step = 0;
  min = Infinity;
  max = -Infinity;
  /** Against what the quantized model made: Σ(x − y)², Σy², max |x − y|. */
  error = 0;
  other = 0;
  worst = 0;

  /** Elements [start, end) of one scale. Values that are not finite (masks of attention) are left out. */
  add(x: Numbers, codes: ArrayLike<number>, start: number, end: number, step: Step): void {
    for (let from = start; from < end; from += chunk) {
      const to = Math.min(from + chunk, end);
      const found = (step.table && sumByTable(x, codes, from, to, step, step.table)) ?? sum(x, codes, from, to, step);
      this.saturated += found.saturated;
      this.zeros += found.zeros;
      this.noise += found.noise;
      this.step += found.count * step.scale * step.scale;
      this.#fold(found);
    }
  }

  /** Two float tensors. */
  addPlain(x: Numbers, y: Numbers, length: number): void {
    let [count, signal, error, other, min, max, worst] = [0, 0, 0, 0, Infinity, -Infinity, 0];
    for (let i = 0; i < length; i++) {
      const value = x[i]!;
      const d = value - y[i]!;
      if (d - d !== 0) continue;
      count++;
      signal += value * value;
      error += d * d;
      other += y[i]! * y[i]!;
      min = Math.min(min, value);
      max = Math.max(max, value);
      worst = Math.max(worst, Math.abs(d));
    }
    this.#fold({ count, signal, error, other, min, max, worst });
  }

  #fold(found: Pick<Found, 'count' | 'signal' | 'error' | 'other' | 'min' | 'max' | 'worst'>): void {
    this.count += found.count;
    this.signal += found.signal;
    this.error += found.error;
    this.other += found.other;
    this.min = Math.min(this.min, found.min);
    this.max = Math.max(this.max, found.max);
    this.worst = Math.max(this.worst, found.worst);
  }

  /** This quantizer alone. @param exactZeros elements that are 0 */
  isolated(exactZeros: number): NonNullable<TensorRow['isolated']> {
    const { count, signal, noise, saturated, zeros, step } = this;
    return {
      sqnrDb: decibels(signal, noise),
      rmseOverScale: step === 0 ? 0 : Math.sqrt(noise / step),
      saturatedPct: (100 * saturated) / count,
      zeroedPct: (100 * Math.max(0, zeros - exactZeros)) / count,
    };
  }

  /** Both models run whole. */
  accumulated(): NonNullable<TensorRow['accumulated']> {
    const { signal, error, other, worst } = this;
    const lengths = Math.sqrt(signal) * Math.sqrt(other);
    // Σ(x − y)² = Σx² − 2Σxy + Σy²
    const cross = (signal + other - error) / 2;
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
  readonly #histogram: Histogram;
  readonly #quantizer: Quantizer | undefined;
  readonly #steps: readonly Step[];
  /** Samples so far: which blocks come next. */
  #seen = 0;

  /** @param counter may serve many tallies: one of its own takes 2 MB, of which every kind of value touches more */
  constructor(quantizer: Quantizer | undefined, counter?: Counter) {
    this.#histogram = new Histogram(counter);
    this.#quantizer = quantizer;
    this.#steps = quantizer ? stepsOf(quantizer) : [];
  }

  /**
   * Of large tensors the windows of each sample; of those quantized by channel everything.
   * @param length elements that belong to real samples; the rest filled the batch up
   * @param samples among which they divide
   */
  add(x: Numbers, y: TypedArray | Numbers, dims: readonly number[], length: number, samples = 1): void {
    const each = length % samples === 0 ? length / samples : length;
    for (let start = 0; start < length; start += each, this.#seen++) {
      const windows = this.#quantizer?.axis === undefined ? windowsOf(each, this.#seen) : ([[0, each]] as const);
      for (const [from, to] of windows) if (from < to) this.#take(x, y, dims, start + from, start + to);
    }
  }

  /** One sample of a large tensor of one scale, of which the windows alone are at hand. */
  addWindows(x: readonly Numbers[], y: readonly (TypedArray | Numbers)[]): void {
    for (const [i, part] of x.entries()) if (part.length > 0) this.#take(part, y[i]!, [], 0, part.length);
    this.#seen++;
  }

  #take(x: Numbers, y: TypedArray | Numbers, dims: readonly number[], start: number, end: number): void {
    const values = x.subarray(start, end);
    this.#histogram.add(values instanceof Float32Array ? values : Float32Array.from(values));
    const quantizer = this.#quantizer;
    if (quantizer === undefined) this.sums.addPlain(values, (y as Numbers).subarray(start, end), end - start);
    else this.#addCodes(quantizer, x, y as ArrayLike<number>, dims, start, end);
  }

  #addCodes(
    quantizer: Quantizer,
    x: Numbers,
    codes: ArrayLike<number>,
    dims: readonly number[],
    begin: number,
    end: number,
  ): void {
    if (quantizer.axis === undefined) {
      this.sums.add(x, codes, begin, end, this.#steps[0]!);
      return;
    }
    const { slots, inner, scaleAt } = runsOf(quantizer, dims);
    for (let start = begin, o = begin / (slots * inner); start < end; start += slots * inner, o++) {
      for (let s = 0; s < slots; s++) {
        const from = start + s * inner;
        this.sums.add(x, codes, from, Math.min(from + inner, end), this.#steps[scaleAt(o, s)]!);
      }
    }
  }

  row(): Pick<TensorRow, 'isolated' | 'accumulated' | 'range' | 'histogram'> {
    const { sums } = this;
    if (sums.count === 0) return {};
    const { min, max } = sums;
    const bins = binsOf(joinHistograms([this.#histogram]), 0, min, max);
    const zero = bins.low.findIndex((low, i) => low === 0 && bins.high[i] === 0);
    return {
      ...(this.#quantizer && { isolated: sums.isolated(zero < 0 ? 0 : bins.count[zero]!) }),
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
