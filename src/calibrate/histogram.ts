/**
 * Histograms whose bins are the floats' own leading bits: sign, exponent and eight bits of mantissa. The bin of a positive normal number x
 * with exponent e and leading mantissa bits m holds
 *
 *     2^e · (1 + m / 256) ≤ x < 2^e · (1 + (m + 1) / 256)
 *
 * so that it is at most 0.4 % of its value wide. They need no range beforehand, however far an outlier lies, and merge by addition. Counts
 * are kept in pages of one sign and exponent each, of which a tensor fills a few dozen; sorted by page they are a canonical form.
 */
import type { TypedArray } from '../onnx/data-types.ts';
import { Counter, pageBins, pagesEach, partsOf, type Floats } from './kernels/counter.ts';

const exponentShift = 23;
const mantissaShift = exponentShift - Math.log2(pageBins);
const signBit = 256;
/** The exponent of infinity and NaN. */
const lastExponent = 255;

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** Counts of one tensor, while they grow; many share a counter, in whose memory they are. */
export class Histogram {
  readonly #counter: Counter;
  /** Address of the counts of each page; 0 for a page without counts. */
  readonly #pages = new Uint32Array(pagesEach);

  constructor(counter = new Counter()) {
    this.#counter = counter;
  }

  add(values: Floats): void {
    for (const part of partsOf(values)) this.#add(part);
  }

  #add(values: Floats): void {
    const counter = this.#counter;
    counter.count(values);
    // After the first samples a tensor has its pages, and no other need be looked at.
    let left = values.length;
    for (let page = 0; page < pagesEach && left > 0; page++) {
      const address = this.#pages[page]!;
      if (address > 0) left -= counter.drain(page, address);
    }
    if (left === 0) return;
    for (const page of counter.pagesOf(values)) {
      if (this.#pages[page]! > 0) continue;
      const address = counter.allocate(pageBins * Float64Array.BYTES_PER_ELEMENT);
      this.#pages[page] = address;
      counter.drain(page, address);
    }
  }

  /** Counts one value once more, or once less if it was counted. */
  count(value: number, by: 1 | -1): void {
    float[0] = value;
    const page = word[0]! >>> exponentShift;
    if (this.#pages[page] === 0) {
      if (by < 0) return;
      this.#pages[page] = this.#counter.allocate(pageBins * Float64Array.BYTES_PER_ELEMENT);
    }
    const counts = this.#counter.numbers;
    const at = this.#pages[page]! / Float64Array.BYTES_PER_ELEMENT + ((word[0]! >>> mantissaShift) % pageBins);
    if (counts[at]! + by >= 0) counts[at]! += by;
  }

  /** Ascending; the counts change as more values are added. */
  *pages(): Generator<{ page: number; counts: Float64Array }> {
    for (const [page, address] of this.#pages.entries())
      if (address > 0) yield { page, counts: new Float64Array(this.#counter.buffer, address, pageBins) };
  }
}

/** The histograms of many tensors: their pages, ascending (tensor × pagesEach + page), and the counts page by page. */
export interface Histograms {
  readonly pages: Uint32Array;
  readonly counts: Float64Array;
}

/** The histograms of many tensors in one canonical form. */
export function joinHistograms(histograms: readonly Histogram[]): Histograms {
  return ofPages(
    histograms.flatMap((histogram, tensor) =>
      Array.from(histogram.pages(), ({ page, counts }) => ({ page: tensor * pagesEach + page, counts })),
    ),
  );
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

/** Sums the counts of each of `count` tensors. */
export function pageSums({ pages, counts }: Histograms, count: number): Float64Array {
  const sums = new Float64Array(count);
  pages.forEach((page, at) => {
    const tensor = Math.floor(page / pagesEach);
    for (let bin = 0; bin < pageBins; bin++) sums[tensor]! += counts[at * pageBins + bin]!;
  });
  return sums;
}

/** Multiplies the counts of each tensor by a number of its own. */
export function scaleHistograms({ pages, counts }: Histograms, by: Float64Array): Histograms {
  return {
    pages,
    counts: counts.map((each, at) => each * by[Math.floor(pages[Math.floor(at / pageBins)]! / pagesEach)]!),
  };
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
  const words = new Uint32Array(2);
  const edge = new Float32Array(words.buffer);
  const take = (at: number, page: number, bin: number): void => {
    const found = counts[at * pageBins + bin]!;
    if (found === 0) return;
    const magnitude = (((page % signBit) << exponentShift) | (bin << mantissaShift)) >>> 0;
    words.set([magnitude, magnitude === 0 ? 0 : magnitude + (1 << mantissaShift)]);
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
