/** Every metric, in the order of the report. Reports, gates and the contract test iterate these lists. */
import { compareErrors } from '../../errors/compare.ts';
import { detection } from './detection.ts';
import type { TaskEvaluator, Task, OutputMetric, TaskMetric } from './metric.ts';
import { regression, segmentation, sequence } from './elementwise-tasks.ts';
import { agreement, kl, top1, top5 } from './classification-metrics.ts';
import { cosine, maxAbs, meanAbs, normL2, sqnr } from './error-metrics.ts';

export const outputMetrics: readonly OutputMetric[] = [sqnr, cosine, maxAbs, meanAbs, normL2, kl, agreement];
export const taskMetrics: readonly TaskMetric[] = [top1, top5];

/** The tasks of `--task`. To add one: write its file and list it here. */

export const tasks: readonly Task[] = [detection, segmentation, regression, sequence];

/**
 * @param words `NAME=VALUE` each
 * @throws TASK_UNKNOWN, TASK_OPTION
 */
export function taskEvaluator(name: string, words: readonly string[]): TaskEvaluator {
  const task = tasks.find(({ id }) => id === name);
  if (!task)
    throw compareErrors.unknownTask(
      name,
      tasks.map(({ id }) => id),
    );
  const settings: Record<string, string> = { ...task.settings };
  for (const word of words) {
    const at = word.indexOf('=');
    const key = word.slice(0, Math.max(0, at));
    if (!Object.hasOwn(task.settings, key)) throw compareErrors.taskOption(name, word, Object.keys(task.settings));
    const value = word.slice(at + 1);
    // A setting whose default is a number takes numbers.
    if (
      task.settings[key] !== '' &&
      Number.isFinite(Number(task.settings[key])) &&
      !(value !== '' && Number.isFinite(Number(value)))
    )
      throw compareErrors.taskOption(name, word, Object.keys(task.settings));
    settings[key] = value;
  }
  return task.create(settings);
}
