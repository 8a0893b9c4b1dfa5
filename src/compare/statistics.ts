/**
 * Statistics of comparisons: significance and confidence intervals of paired yes/no outcomes and of means over samples, quantiles, rank
 * correlation, and Pareto fronts of several models.
 */
import type { PairedCounts } from './metrics/metric.ts';

/** 95 % of a standard normal distribution lie within ± this. */
const z95 = 1.959963984540054;

/**
 * Two-sided exact p value of McNemar's test: the probability, were a flip equally likely in both directions, of a split at
 * least as uneven as this one. 1 when there is no flip.
 */
export function mcnemarExact(onlyFloat: number, onlyQuant: number): number {
  const flips = onlyFloat + onlyQuant;
  const fewer = Math.min(onlyFloat, onlyQuant);
  // Terms C(flips, k) / 2^flips in logarithms: 2^-flips alone underflows from 1075 flips on.
  let logTerm = -flips * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= fewer; k++) {
    logTerm += Math.log((flips - k + 1) / k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

/**
 * 95 % confidence interval of the change in accuracy, quant − float, as fractions. Agresti & Min (2005): Wald's interval
 * after adding half an observation to each cell, so that no flips in a few samples do not look like certainty.
 */
export function pairedInterval(counts: PairedCounts): [number, number] {
  const n = counts.bothRight + counts.onlyFloat + counts.onlyQuant + counts.bothWrong + 2;
  const lost = counts.onlyFloat + 0.5;
  const won = counts.onlyQuant + 0.5;
  const centre = (won - lost) / n;
  const half = z95 * (Math.sqrt(lost + won - (won - lost) ** 2 / n) / n);
  return [Math.max(-1, centre - half), Math.min(1, centre + half)];
}

/** 95 % confidence interval of a probability (Wilson 1927). @param share of `n` trials that came true, n > 0 */
export function wilsonInterval(share: number, n: number): [number, number] {
  const shrink = 1 + z95 ** 2 / n;
  const centre = (share + z95 ** 2 / (2 * n)) / shrink;
  const half = (z95 / shrink) * Math.sqrt((share * (1 - share)) / n + z95 ** 2 / (4 * n ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** The least number of trials after which Wilson's interval around this share would no longer hold the bound. */
export function wilsonTrials(share: number, bound: number): number {
  return Math.ceil((z95 ** 2 * bound * (1 - bound)) / (share - bound) ** 2);
}

/** Linear interpolation between order statistics (type 7), as NumPy does by default. `q` from 0 to 1; values not empty. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)]!;
  return below + (sorted[Math.ceil(position)]! - below) * (position - Math.floor(position));
}

/** Spearman's rank correlation; equal values share the mean of their ranks. NaN for fewer than two values or constant ones. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (x.length - 1) / 2;
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xx += (x[i]! - mean) ** 2;
    yy += (y[i]! - mean) ** 2;
    xy += (x[i]! - mean) * (y[i]! - mean);
  }
  return xy / Math.sqrt(xx * yy);
}

function ranks(values: readonly number[]): Float64Array {
  const order = values
    .map((_, index) => index)
    .sort((i, j) => (values[i]! < values[j]! ? -1 : values[i]! > values[j]! ? 1 : 0));
  const found = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) found[order[i]!] = (start + end - 1) / 2;
  }
  return found;
}

/** The mean of one figure per sample, and its 95 % interval (normal approximation; undefined for fewer than two samples). */
export class SampleMean {
  n = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.n++;
    const before = value - this.mean;
    this.mean += before / this.n;
    this.#squares += before * (value - this.mean);
  }

  interval(): [number, number] | undefined {
    if (this.n < 2) return undefined;
    const half = z95 * Math.sqrt(this.#squares / (this.n - 1) / this.n);
    return [this.mean - half, this.mean + half];
  }
}

/** Σa / Σb over samples, and its 95 % interval by the delta method. */
export class SampleRatio {
  n = 0;
  #a = 0;
  #b = 0;
  #aa = 0;
  #ab = 0;
  #bb = 0;

  add(a: number, b: number): void {
    this.n++;
    this.#a += a;
    this.#b += b;
    this.#aa += a * a;
    this.#ab += a * b;
    this.#bb += b * b;
  }

  get value(): number {
    return this.#a / this.#b;
  }

  interval(): [number, number] | undefined {
    const { n, value } = this;
    if (n < 2 || this.#b === 0) return undefined;
    const residual = this.#aa - 2 * value * this.#ab + value * value * this.#bb;
    const half = (z95 * Math.sqrt(Math.max(0, residual) * (n / (n - 1)))) / this.#b;
    return [value - half, value + half];
  }
}

/** What a model is chosen by, each as a figure of which more is better; undefined where it was not measured: then it decides nothing. */
type Merits = readonly (number | undefined)[];

/**
 * Tells for each candidate whether it is on the Pareto front: no other is better in one thing without being worse in another. Equals do
 * not beat each other.
 */
export function paretoFront(candidates: readonly Merits[]): boolean[] {
  return candidates.map((own) => !candidates.some((other) => beats(other, own)));
}

/** As good in everything that both have, and better in something. */
function beats(other: Merits, own: Merits): boolean {
  let better = false;
  for (const [i, merit] of own.entries()) {
    const rival = other[i];
    if (merit === undefined || rival === undefined) continue;
    if (rival < merit) return false;
    better ||= rival > merit;
  }
  return better;
}
