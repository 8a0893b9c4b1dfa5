/**
 * Every metric and every task, in the order of the report; reports, gates and the contract test iterate these lists. To add one: write
 * it beside its family (error-metrics.ts, classification-metrics.ts, elementwise-tasks.ts), or in a file of its own, and list it here.
 */
import { compareErrors } from '../../errors/compare.ts';
import { detection } from './detection.ts';
import type { TaskEvaluator, Task, OutputMetric, TaskMetric } from './metric.ts';
import { regression, segmentation, sequence } from './elementwise-tasks.ts';
import { agreement, kl, top1, top5 } from './classification-metrics.ts';
import { cosine, maxAbs, meanAbs, normL2, sqnr } from './error-metrics.ts';

/** How far an output moved. */
export const outputMetrics: readonly OutputMetric[] = [sqnr, cosine, maxAbs, meanAbs, normL2, kl, agreement];
/** Judged by labels. */
export const taskMetrics: readonly TaskMetric[] = [top1, top5];

/** The tasks of `--task`. */
export const tasks: readonly Task[] = [detection, segmentation, regression, sequence];

/**
 * Makes the evaluator of the task `name`, for one comparison.
 * @param given settings, `NAME=VALUE` each
 * @throws TASK_UNKNOWN, TASK_OPTION
 */
export function taskEvaluator(name: string, given: readonly string[]): TaskEvaluator {
  const task = tasks.find(({ id }) => id === name);
  if (!task)
    throw compareErrors.unknownTask(
      name,
      tasks.map(({ id }) => id),
    );
  const settings: Record<string, string> = { ...task.settings };
  for (const text of given) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(0, at));
    if (!Object.hasOwn(task.settings, key)) throw compareErrors.taskOption(name, text, Object.keys(task.settings));
    const value = text.slice(at + 1);
    // A setting whose default is a number takes numbers.
    if (
      task.settings[key] !== '' &&
      Number.isFinite(Number(task.settings[key])) &&
      !(value !== '' && Number.isFinite(Number(value)))
    )
      throw compareErrors.taskOption(name, text, Object.keys(task.settings));
    settings[key] = value;
  }
  return task.create(settings);
}
