/** Normalized L2 error √(Σ(x−y)² / Σx²) over all elements of all samples; an all-zero signal gives 0 for equal outputs, else Infinity. */
import type { OutputMetric } from './metric.ts';
import { SignalAndNoise } from './noise.ts';

export const normL2: OutputMetric = {
  id: 'norm-l2',
  field: 'normL2',
  unit: 'times the signal',
  better: 'lower',
  create: () => new SignalAndNoise((signal, noise) => (noise === 0 ? 0 : Math.sqrt(noise / signal))),
};
