/**
 * The scale with the least squared error of the weights: candidates from the largest magnitude down, a hundredth of it apart, as
 * BRECQ and OMSE search. It may clip a few large weights to round all others more finely: that pays where one scale serves a
 * whole tensor, and at few bits; at 8 bits per channel it changes little.
 */
import { clamp, isUsableScale, roundHalfEven } from '../params.ts';
import { max } from './max.ts';
import { forEachRun, magnitudes, type WeightObserver } from './weight-observer.ts';

/** Candidates: the largest magnitude × (1 - i/100). */
const candidates = 80;

export const mse: WeightObserver = {
  id: 'mse',
  summary: 'the scale with the least squared error of the weights',
  scales(values, groups, top) {
    const best = max.scales(values, groups, top);
    const largest = magnitudes(values, groups);
    const least = new Float64Array(groups.count).fill(Infinity);
    for (let i = 0; i < candidates; i++) {
      const scales = Float32Array.from(largest, (most) => (most * (1 - i / 100)) / top);
      const errors = new Float64Array(groups.count);
      forEachRun(values, groups, (group, start, end) => {
        errors[group]! += squaredError(values, start, end, scales[group]!, top);
      });
      errors.forEach((error, group) => {
        if (!(error < least[group]!) || !isUsableScale(scales[group]!)) return;
        least[group] = error;
        best[group] = scales[group]!;
      });
    }
    return best;
  },
};

/** Of codes as quantizeWeights makes them. */
function squaredError(values: Float32Array, start: number, end: number, scale: number, top: number): number {
  let error = 0;
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    const rest = value - clamp(roundHalfEven(Math.fround(value / scale)), -top, top) * scale;
    error += rest * rest;
  }
  return error;
}
