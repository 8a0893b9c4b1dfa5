/** The fraction of samples whose label has the highest score. */
import type { TaskMetric } from './metric.ts';
import { TopK } from './top-k.ts';

export const top1: TaskMetric = {
  id: 'top1',
  unit: 'fraction',
  better: 'higher',
  minimumClasses: 2,
  create: () => new TopK(1),
};
