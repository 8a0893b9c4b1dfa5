/** The fraction of samples whose label is among the five highest scores; from 10 classes on, below that it says little. */
import type { TaskMetric } from './metric.ts';
import { TopK } from './top-k.ts';

export const top5: TaskMetric = {
  id: 'top5',
  unit: 'fraction',
  better: 'higher',
  minimumClasses: 10,
  create: () => new TopK(5),
};
