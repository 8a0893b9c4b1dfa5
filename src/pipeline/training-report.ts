/** What the report keeps of a training: its curve, thinned so that a page can hold it. */
import type { Training } from '../compare/report.ts';
import type { FinetuneResult } from './results.ts';

/** More than a plot has pixels for. */
const mostPoints = 400;

export function trainingOf({ training, evaluations, ...result }: FinetuneResult): Training {
  const { loss, steps, keptStep, endedEarly, parameters, stepMilliseconds } = result;
  const curve = stretches(training.length, mostPoints).map(([from, to]) => {
    const points = training.slice(from, to);
    const { step, lr } = points.at(-1)!;
    return { step, loss: points.reduce((sum, point) => sum + point.loss, 0) / points.length, lr };
  });
  // The first is how it stood before training: the others are thinned behind it.
  const judged = stretches(evaluations.length - 1, mostPoints - 1).map(([, to]) => evaluations[to]!);
  const shown = [...evaluations.slice(0, 1), ...judged].map(({ step, value }) => ({ step, value }));
  const metric = evaluations[0]?.name as Training['metric'];
  return {
    ...{ loss, steps, keptStep, endedEarly, parameters, stepMs: stepMilliseconds, curve },
    ...{ evaluations: shown, ...(metric && { metric }) },
  };
}

/** 0 … count cut into at most `most` stretches whose lengths differ by one at most. */
function stretches(count: number, most: number): [number, number][] {
  if (count <= 0) return [];
  const pieces = Math.min(count, most);
  const at = (i: number): number => Math.floor((i * count) / pieces);
  return Array.from({ length: pieces }, (_, i) => [at(i), at(i + 1)]);
}
