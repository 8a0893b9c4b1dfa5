/**
 * The interval between two percentiles: the same fraction of elements is clipped at either end. Of n elements, the quantile f has the rank
 * (n - 1) · f and is interpolated between the elements of the ranks next to it, as numpy.percentile does; an element counts as evenly
 * spread over its bin.
 */
import type { Bins } from '../histogram.ts';
import { histogramObserver } from './histogram-observer.ts';

/** The observer `percentile`. */
export const percentile = histogramObserver({
  id: 'percentile',
  summary: 'all but the outermost elements on each side',
  options: {
    percentile: { default: 99.99, min: 50, max: 100, describe: 'percentage of elements below the upper end' },
  },
  rangeOf: (bins, _, { percentile: percent }) => ({
    min: quantile(bins, 1 - percent! / 100),
    max: quantile(bins, percent! / 100),
  }),
});

function quantile(bins: Bins, fraction: number): number {
  const rank = (bins.total - 1) * fraction;
  const below = Math.floor(rank);
  const [a, b] = [orderStatistic(bins, below), orderStatistic(bins, Math.ceil(rank))];
  return a + (b - a) * (rank - below);
}

/** The element of this rank, from 0, as far as its bin tells. */
function orderStatistic({ low, high, count }: Bins, rank: number): number {
  let bin = 0;
  let before = 0;
  while (bin < count.length - 1 && before + count[bin]! <= rank) before += count[bin++]!;
  return low[bin]! + ((high[bin]! - low[bin]!) * (rank - before + 0.5)) / count[bin]!;
}
