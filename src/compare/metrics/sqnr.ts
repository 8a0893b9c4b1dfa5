/**
 * Signal to quantization noise ratio, 10·log10(Σx² / Σ(x−y)²) in dB, over all elements of all samples, in float64. Equal
 * outputs give Infinity; noise on an all-zero signal gives -Infinity.
 */
import type { OutputMetric } from './metric.ts';
import { SignalAndNoise } from './noise.ts';

export const sqnr: OutputMetric = {
  id: 'sqnr',
  field: 'sqnrDb',
  unit: 'dB',
  better: 'higher',
  create: () => new SignalAndNoise((signal, noise) => (noise === 0 ? Infinity : 10 * Math.log10(signal / noise))),
};
