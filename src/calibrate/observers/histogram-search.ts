/**
 * PyTorch's HistogramObserver: from the whole interval inwards, a hundred-thousandth of the elements at a time, always at the end
 * where that skips more of 2048 equal bins, until the squared error of 256 codes grows for the first time. Its own histogram
 * depends on the order of the samples, because a growing range spreads old counts anew; this one is made of mergeable bins at
 * the end. Source: torch.ao.quantization.observer, after caffe2's norm minimization.
 */
import type { Bins } from '../histogram.ts';
import { histogramObserver } from './histogram-observer.ts';

const cells = 2048;
/** Codes of 8 bits. */
const codes = 256;
/** Part of the elements by which an end moves. */
const stride = 1e-5;

/** The observer `histogram`. */
export const histogramSearch = histogramObserver({
  id: 'histogram',
  summary: "PyTorch's search: clips from the outside in while the squared error falls",
  options: {},
  rangeOf(bins, extremes) {
    // PyTorch's interval need not hold zero until the very end.
    const low = extremes.min < 0 ? extremes.min : bins.low[0]!;
    const high = extremes.max > 0 ? extremes.max : bins.high.at(-1)!;
    const width = (high - low) / cells;
    if (!(width > 0)) return extremes;
    const { start, end } = search(equalCells(bins, low, width), bins.total);
    return { min: low + width * start, max: low + width * (end + 1) };
  },
});

/** The elements of each bin spread evenly over the cells that it meets. */
function equalCells({ low, high, count }: Bins, origin: number, width: number): Float64Array {
  const filled = new Float64Array(cells);
  for (let i = 0; i < count.length; i++) {
    const [from, to] = [(low[i]! - origin) / width, (high[i]! - origin) / width];
    const first = Math.min(Math.max(Math.floor(from), 0), cells - 1);
    const last = Math.min(Math.ceil(to), cells) - 1;
    if (last <= first || to - from < 1e-9) {
      filled[first]! += count[i]!;
      continue;
    }
    const density = count[i]! / (to - from);
    for (let cell = first; cell <= last; cell++)
      filled[cell]! += density * (Math.min(to, cell + 1) - Math.max(from, cell));
  }
  return filled;
}

function search(histogram: Float64Array, total: number): { start: number; end: number } {
  let before = 0;
  const upTo = histogram.map((count) => (before += count));
  let [start, end, least] = [0, cells - 1, Infinity];
  for (let [alpha, beta] = [0, 1]; alpha < beta;) {
    let [left, right] = [start, end];
    while (left < end && upTo[left]! < (alpha + stride) * total) left++;
    while (right > start && upTo[right]! > (beta - stride) * total) right--;
    const next = { start, end };
    if (left - start > end - right) {
      next.start = left;
      alpha += stride;
    } else {
      next.end = right;
      beta -= stride;
    }
    if (next.start === start && next.end === end) continue;
    const error = errorOf(histogram, next.start, next.end);
    if (error > least) break;
    [start, end, least] = [next.start, next.end, error];
  }
  return { start, end };
}

/**
 * The squared error when `codes` equal steps divide the cells from start to end, in cell widths: the integral of the distance to the
 * middle of the nearest step over each cell. What lies outside belongs to the first or last step.
 */
function errorOf(histogram: Float64Array, start: number, end: number): number {
  const step = (end - start + 1) / codes;
  const third = (x: number): number => (x * x * x) / 3;
  const half = third(step / 2);
  const stepOf = (x: number): number => Math.min(Math.max(Math.floor(x / step), 0), codes - 1);
  let error = 0;
  for (let cell = 0; cell < cells; cell++) {
    const count = histogram[cell]!;
    if (count === 0) continue;
    const from = cell - start;
    const to = from + 1;
    const [first, last] = [stepOf(from), stepOf(to)];
    const begun = half - third(from - (first + 0.5) * step);
    const ended = third(to - (last + 0.5) * step) + half;
    error += count * (begun + (last - first - 1) * 2 * half + ended);
  }
  return error;
}
