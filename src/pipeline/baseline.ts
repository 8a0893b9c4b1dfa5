/**
 * The baseline: a report of record that relative gates compare with. Updating makes the report of this run the record: relative
 * gates then compare it with itself, so that only absolute ones can fail, and a report with a failed gate is not recorded.
 */
import { existsSync } from 'node:fs';
import { readReport, writeReport } from '../compare/report-file.ts';
import type { BaselineSource } from '../compare/compare.ts';
import type { Report } from '../compare/report.ts';
import { reportErrors } from '../errors/compare.ts';
import type { ReportFlags } from '../settings/options.ts';

type Flags = Pick<ReportFlags, 'baseline' | 'updateBaseline'>;

/** Read before anything runs. @throws BASELINE_MISSING, BASELINE_NOT_FOUND and the errors of report files */
export function openBaseline({ baseline, updateBaseline = false }: Flags): BaselineSource | undefined {
  if (baseline === undefined) {
    if (updateBaseline) throw reportErrors.updateWithoutBaseline();
    return undefined;
  }
  if (updateBaseline) return { path: baseline };
  if (!existsSync(baseline)) throw reportErrors.baselineNotFound(baseline);
  return { path: baseline, report: readReport(baseline) };
}

/** Whether the baseline was written. */
export function recordBaseline(report: Report, { baseline, updateBaseline = false }: Flags): boolean {
  if (baseline === undefined || !updateBaseline || report.verdict === 'fail') return false;
  writeReport(baseline, report);
  return true;
}
