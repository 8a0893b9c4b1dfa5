/**
 * Histograms whose bins are the floats' own leading bits: sign, exponent and eight bits of mantissa, so that a bin is at most
 * 0.4 % of its value wide. They need no range beforehand, however far an outlier lies, and merge by addition. Counts are kept in
 * pages of one sign and exponent each, of which a tensor fills a few dozen; sorted by page they are a canonical form.
 */
import type { TypedArray } from '../onnx/data-types.ts';

const mantissaShift = 15;
const exponentShift = 23;
/** Bins of one page. */
export const pageBins = 1 << (exponentShift - mantissaShift);
/** Signs times exponents. */
export const pagesEach = 512;
const signBit = 256;
/** Of infinity and NaN. */
const lastExponent = 255;

/**
 * Counts of the elements that are being added, all zero in between. Two tables take turns: a count that was just written, such
 * as that of the zeros behind a Relu, would make the next one wait.
 */
const even = new Uint32Array(pagesEach * pageBins);
const odd = new Uint32Array(pagesEach * pageBins);

/** Counts of one tensor, while they grow. */
export class Histogram {
  /** Where the counts of each page begin; -1 for a page without counts. */
  readonly starts = new Int32Array(pagesEach).fill(-1);
  counts = new Float64Array(16 * pageBins);
  used = 0;

  add(values: Float32Array): void {
    tally(new Uint32Array(values.buffer, values.byteOffset, values.length));
    // After the first samples a tensor has its pages, and no other need be looked at.
    let left = values.length;
    for (let page = 0; page < pagesEach && left > 0; page++) if (this.starts[page]! >= 0) left -= this.#take(page);
    for (let page = 0; page < pagesEach && left > 0; page++) {
      if (this.starts[page]! < 0 && holdsAny(page)) left -= this.#take(this.#open(page));
    }
  }

  /** Moves the new counts of a page over here. */
  #take(page: number): number {
    const { counts } = this;
    const start = this.starts[page]!;
    let taken = 0;
    for (let bin = 0; bin < pageBins; bin++) {
      const from = page * pageBins + bin;
      const found = even[from]! + odd[from]!;
      if (found === 0) continue;
      counts[start + bin]! += found;
      taken += found;
      even[from] = 0;
      odd[from] = 0;
    }
    return taken;
  }

  #open(page: number): number {
    if (this.used === this.counts.length) {
      const larger = new Float64Array(2 * this.counts.length);
      larger.set(this.counts);
      this.counts = larger;
    }
    this.starts[page] = this.used;
    this.used += pageBins;
    return page;
  }
}

function tally(bits: Uint32Array): void {
  const pairs = bits.length - (bits.length % 2);
  for (let i = 0; i < pairs; i += 2) {
    even[bits[i]! >>> mantissaShift]!++;
    odd[bits[i + 1]! >>> mantissaShift]!++;
  }
  if (pairs < bits.length) even[bits[pairs]! >>> mantissaShift]!++;
}

function holdsAny(page: number): boolean {
  const end = (page + 1) * pageBins;
  for (let bin = end - pageBins; bin < end; bin++) if (even[bin]! + odd[bin]! > 0) return true;
  return false;
}

/** The histograms of many tensors: their pages, ascending (tensor × pagesEach + page), and the counts page by page. */
export interface Histograms {
  readonly pages: Uint32Array;
  readonly counts: Float64Array;
}

export function joinHistograms(histograms: readonly Histogram[]): Histograms {
  const parts: { page: number; counts: Float64Array }[] = [];
  histograms.forEach(({ starts, counts }, tensor) => {
    starts.forEach((start, page) => {
      if (start >= 0) parts.push({ page: tensor * pagesEach + page, counts: counts.subarray(start, start + pageBins) });
    });
  });
  return ofPages(parts);
}

/** The sum: commutative, associative and exact up to 2^53 elements per bin. */
export function mergeHistograms(a: Histograms, b: Histograms): Histograms {
  const parts = new Map<number, Float64Array>();
  for (const { pages, counts } of [a, b]) {
    pages.forEach((page, i) => {
      const more = counts.subarray(i * pageBins, (i + 1) * pageBins);
      const known = parts.get(page);
      parts.set(page, known ? known.map((count, bin) => count + more[bin]!) : more);
    });
  }
  return ofPages([...parts].map(([page, counts]) => ({ page, counts })).sort((x, y) => x.page - y.page));
}

function ofPages(parts: readonly { readonly page: number; readonly counts: Float64Array }[]): Histograms {
  const counts = new Float64Array(parts.length * pageBins);
  parts.forEach((part, i) => counts.set(part.counts, i * pageBins));
  return { pages: Uint32Array.from(parts, ({ page }) => page), counts };
}

/** The histograms of `count` tensors in arrays read from a file, or undefined when they are none. */
export function decodeHistograms(
  { pages, counts }: Readonly<Record<string, TypedArray>>,
  count: number,
): Histograms | undefined {
  if (!(pages instanceof Uint32Array && counts instanceof Float64Array)) return undefined;
  const ascending = pages.every((page, i) => page < count * pagesEach && (i === 0 || page > pages[i - 1]!));
  const whole = counts.every((each) => Number.isSafeInteger(each) && each >= 0);
  return ascending && whole && counts.length === pages.length * pageBins ? { pages, counts } : undefined;
}

/** The bins of one tensor that hold anything, ascending: element counts and the interval of each, in real units. */
export interface Bins {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly count: Float64Array;
  readonly total: number;
}

/** @param min and `max` are those of the tensor: no bin reaches beyond. Exact zeros are a bin without width. */
export function binsOf({ pages, counts }: Histograms, tensor: number, min: number, max: number): Bins {
  const [low, high, count]: [number[], number[], number[]] = [[], [], []];
  const word = new Uint32Array(2);
  const edge = new Float32Array(word.buffer);
  const take = (at: number, page: number, bin: number): void => {
    const found = counts[at * pageBins + bin]!;
    if (found === 0) return;
    const magnitude = (((page % signBit) << exponentShift) | (bin << mantissaShift)) >>> 0;
    word.set([magnitude, magnitude === 0 ? 0 : magnitude + (1 << mantissaShift)]);
    const [inner, outer] = page < signBit ? [edge[0]!, edge[1]!] : [-edge[0]!, -edge[1]!];
    low.push(clamp(Math.min(inner, outer), min, max));
    high.push(clamp(Math.max(inner, outer), min, max));
    count.push(found);
  };
  let begin = 0;
  while (begin < pages.length && pages[begin]! < tensor * pagesEach) begin++;
  let end = begin;
  while (end < pages.length && pages[end]! < (tensor + 1) * pagesEach) end++;
  const finite = (page: number): boolean => page % signBit !== lastExponent;
  for (let at = end - 1; at >= begin; at--) {
    const page = pages[at]! % pagesEach;
    if (page >= signBit && finite(page)) for (let bin = pageBins - 1; bin >= 0; bin--) take(at, page, bin);
  }
  for (let at = begin; at < end; at++) {
    const page = pages[at]! % pagesEach;
    if (page < signBit && finite(page)) for (let bin = 0; bin < pageBins; bin++) take(at, page, bin);
  }
  const total = count.reduce((sum, each) => sum + each, 0);
  return { low: Float64Array.from(low), high: Float64Array.from(high), count: Float64Array.from(count), total };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
