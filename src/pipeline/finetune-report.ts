/** The report of a trained model: against the float one, on the samples that judged while it was trained. */
import { compareModels, type CompareOptions } from '../compare/compare.ts';
import { openModel } from '../compare/models.ts';
import type { Report } from '../compare/report.ts';
import type { DataFlags, JudgeFlags, ReportFlags, RunFlags } from '../settings/options.ts';
import type { FinetuneResult } from './results.ts';
import { openBaseline, recordBaseline } from './baseline.ts';
import { evaluatorsOf } from './judges.ts';
import { layersOf } from './layers.ts';
import { samplesProgress } from './progress.ts';
import { writeReportFiles } from './report-files.ts';
import type { Samples } from './samples.ts';
import { trainingOf } from './training-report.ts';

type Flags = DataFlags & JudgeFlags & ReportFlags & RunFlags & { readonly gates: readonly string[] };

/** What was trained, and what is held against what. */
export interface Trained {
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
