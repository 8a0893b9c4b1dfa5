/**
 * The report of a trained model: against the float one, on the samples that judged while it was trained, with the curve; and the folder
 * for files between the stages.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Training, Report } from '../../compare/report.ts';
import type { FinetuneResult } from '../results.ts';
import { compareModels, type CompareOptions } from '../../compare/compare.ts';
import { openModel } from '../../compare/models.ts';
import type { DataFlags, JudgeFlags, ReportFlags, RunFlags } from '../../settings/options.ts';
import { openBaseline, recordBaseline, writeReportFiles } from '../compare/report-files.ts';
import { evaluatorsOf, layersOf, samplesProgress } from '../compare/report.ts';
import type { Samples } from '../samples/samples.ts';

type Flags = DataFlags & JudgeFlags & ReportFlags & RunFlags & { readonly gates: readonly string[] };

/** What was trained, and what is held against what. */
interface Trained {
  readonly floatPath: string;
  readonly quantPath: string;
  readonly result: FinetuneResult;
  readonly evaluation: Samples;
  readonly layers: boolean | undefined;
  readonly more: Pick<CompareOptions, 'recipe' | 'leftFloat' | 'exactInt8'>;
}

const usualSamples = 500;

/** The samples that judge; without any left over, the first that trained, which flatters. */
export function judging(evaluation: Samples | undefined, trained: Samples): { samples: Samples; warnings: string[] } {
  if (evaluation) return { samples: evaluation, warnings: [] };
  const { dataset, selection } = trained;
  const first = 'from' in selection ? { from: 0, to: usualSamples } : selection.slice(0, usualSamples);
  return {
    samples: { dataset, selection: first },
    warnings: ['every sample was used to train, so the report judges the same samples: give --eval, or more samples'],
  };
}

/** Writes the files of the report. @throws as `compareModels` does */
export async function reportTrained(
  { floatPath, quantPath, result, evaluation, layers, more }: Trained,
  options: Flags,
): Promise<{ report: Report; files: string[] }> {
  const baseline = openBaseline(options);
  const compared = await compareModels({
    floatPath,
    quantPath,
    ...evaluation,
    threads: options.threads,
    gates: options.gates,
    evaluators: await evaluatorsOf(options),
    baseline,
    command: options.command ?? 'finetuneModel',
    warnings: result.warnings,
    profile: options.profile ?? false,
    layers: await layersOf(floatPath, openModel(quantPath).model, quantPath, layers, options),
    ...more,
    onProgress: samplesProgress(options, 'comparing'),
    onLayers: samplesProgress(options, 'comparing layers'),
  });
  const report = { ...compared, training: trainingOf(result) };
  recordBaseline(report, options);
  return { report, files: writeReportFiles(report, options) };
}

/** Points of a curve at the most: more than a plot has pixels for. */
const mostPoints = 400;

/** What the report keeps of a training: its curve, thinned so that a page can hold it. */
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

/**
 * A folder for files between the stages, beside the result, so that large ones fit where the result fits. It is gone when `use` is done,
 * and when the process ends before.
 */
export async function withScratch<T>(beside: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(dirname(beside), '.qdq-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await use(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
