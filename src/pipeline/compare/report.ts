/** What stages that end with a report have in common: the models that are compared tensor by tensor, evaluators, progress. */
import type { RunFlags, JudgeFlags } from '../../settings/options.ts';
import type { TaskEvaluator } from '../../compare/metrics/metric.ts';
import { taskEvaluator } from '../../compare/metrics/index.ts';
import { loadMetric } from '../../compare/user-metric.ts';
import { compareErrors } from '../../errors/compare.ts';
import type { CompareOptions } from '../../compare/compare.ts';
import { isDequantize, isQuantize } from '../../compare/regions.ts';
import type { Model } from '../../graph/model.ts';
import { elementTypes, isLowBit } from '../../graph/element-types.ts';
import { openFused } from '../source/source.ts';

/** Enough for the error of a tensor to settle: it is a mean over its many elements. */
const usualSamples = 32;

export function layerSamples(layers: boolean | undefined): number {
  return layers === undefined ? usualSamples : layers ? Infinity : 0;
}

/** The models of two files, fused alike; undefined when nobody wants to look inside. */
export async function layersOf(
  float: string,
  quant: Model,
  quantPath: string,
  layers: boolean | undefined,
  flags: RunFlags,
): Promise<CompareOptions['layers']> {
  const samples = layerSamples(layers);
  if (samples === 0) return undefined;
  const { onProgress: _silent, ...quiet } = flags;
  // The types of the second model are what is judged.
  const fused = async (path: string, keepTypes: boolean): Promise<Model> =>
    (await openFused(path, quiet, { opset: quant.opset, keepTypes })).model;
  const reference = await fused(float, false);
  if (isQuantized(quant)) return { float: { fused: reference }, samples };
  return { float: { fused: reference }, quant: { plain: quant, fused: await fused(quantPath, true) }, samples };
}

function isQuantized(model: Model): boolean {
  const types = elementTypes(model);
  for (const node of model.allNodes()) {
    if (isQuantize(node) || isDequantize(node)) return true;
    if (node.inputs.some((value) => value?.constant && isLowBit(types.get(value)))) return true;
  }
  return false;
}

/**
 * What a comparison evaluates besides labels: a task of qdq, and the user's own metrics. Each is good for one comparison.
 * @throws TASK_UNKNOWN, TASK_OPTION, METRIC_MODULE
 */
export async function evaluatorsOf({ task, taskOption = [], metric = [] }: JudgeFlags): Promise<TaskEvaluator[]> {
  if (task === undefined && taskOption.length > 0) throw compareErrors.taskOptionAlone(taskOption[0]!);
  const evaluators = task === undefined ? [] : [taskEvaluator(task, taskOption)];
  for (const path of metric) evaluators.push(await loadMetric(path));
  return evaluators;
}

/** Reports samples of a stage; a stream has no total. */
export function samplesProgress(
  { onProgress }: Pick<RunFlags, 'onProgress'>,
  stage: string,
): (done: number, total: number | undefined) => void {
  return (done, total) => onProgress?.({ stage, done, ...(total === undefined ? {} : { total }), unit: 'samples' });
}
