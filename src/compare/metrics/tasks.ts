/** The tasks of `--task`. To add one: write its file and list it here. */
import { compareErrors } from '../../errors/compare.ts';
import { detection } from './detection.ts';
import type { Judge, Task } from './judge.ts';
import { regression } from './regression.ts';
import { segmentation } from './segmentation.ts';
import { sequence } from './sequence.ts';

export const tasks: readonly Task[] = [detection, segmentation, regression, sequence];

/**
 * @param words `NAME=VALUE` each
 * @throws TASK_UNKNOWN, TASK_OPTION
 */
export function judgeOf(name: string, words: readonly string[]): Judge {
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
