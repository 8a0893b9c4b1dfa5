/** Order within a row of scores. Among equal scores the first counts as the larger. */
import type { Numbers } from './metric.ts';

/** Index of the largest of `width` elements from `start` on, counted from `start`. */
export function argmax(values: Numbers, start: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

/** How many of the `width` elements come before element `index`; a score that is NaN comes last. */
export function rankOf(values: Numbers, start: number, width: number, index: number): number {
  const score = values[start + index]!;
  if (Number.isNaN(score)) return width;
  let rank = 0;
  for (let i = 0; i < width; i++) {
    const other = values[start + i]!;
    if (other > score || (other === score && i < index)) rank++;
  }
  return rank;
}
