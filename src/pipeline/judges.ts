/** What a comparison evaluates besides labels, from the flags: a task of qdq, and the user's own metrics. */
import type { TaskEvaluator } from '../compare/metrics/metric.ts';
import { taskEvaluator } from '../compare/metrics/index.ts';
import { loadMetric } from '../compare/user-metric.ts';
import { compareErrors } from '../errors/compare.ts';
import type { JudgeFlags } from '../settings/options.ts';

/** Each is good for one comparison. @throws TASK_UNKNOWN, TASK_OPTION, METRIC_MODULE */
export async function evaluatorsOf({ task, taskOption = [], metric = [] }: JudgeFlags): Promise<TaskEvaluator[]> {
  if (task === undefined && taskOption.length > 0) throw compareErrors.taskOptionAlone(taskOption[0]!);
  const evaluators = task === undefined ? [] : [taskEvaluator(task, taskOption)];
  for (const path of metric) evaluators.push(await loadMetric(path));
  return evaluators;
}
