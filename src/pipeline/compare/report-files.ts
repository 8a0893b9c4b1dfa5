/**
 * The files of a report, whose forms follow from their names, and the baseline: a report of record that relative gates compare with.
 * Updating makes the report of this run the record: relative gates then compare it with itself, so that only absolute ones can fail, and a
 * report with a failed gate is not recorded.
 */
import { existsSync } from 'node:fs';
import { readReport, writeReport, writeWhole } from '../../compare/report-file.ts';
import type { BaselineSource } from '../../compare/compare.ts';
import type { Report } from '../../compare/report.ts';
import { reportErrors } from '../../errors/compare.ts';
import type { ReportFlags } from '../../settings/options.ts';
import { findRenderer, renderers, rendererOf } from '../../report/index.ts';
import { json } from '../../report/raw.ts';
import type { Renderer } from '../../report/renderer.ts';

interface ReportFile {
  readonly path: string;
  readonly renderer: Renderer;
}

/**
 * What `--report out/r.json --report-format html` asks for: out/r.json and out/r.html. A name with an extension that no renderer
 * has is JSON.
 * @throws REPORT_FORMAT, REPORT_NO_FILE
 */
export function reportFiles({ report, reportFormat = [] }: Pick<ReportFlags, 'report' | 'reportFormat'>): ReportFile[] {
  if (!report) {
    if (reportFormat.length > 0) throw reportErrors.formatWithoutReport(reportFormat[0]!);
    return [];
  }
  const first = rendererOf(report);
  const stem = first === undefined ? report : report.slice(0, -first.extension!.length);
  const files: ReportFile[] = [{ path: report, renderer: first ?? json }];
  for (const format of reportFormat) {
    const renderer = rendererNamed(format);
    if (renderer.extension === undefined) throw reportErrors.noFile(format);
    const path = stem + renderer.extension;
    if (files.every((file) => file.path !== path)) files.push({ path, renderer });
  }
  return files;
}

/** @throws REPORT_FORMAT */
function rendererNamed(format: string): Renderer {
  const renderer = findRenderer(format);
  if (!renderer)
    throw reportErrors.format(
      format,
      renderers.map((each) => each.format),
    );
  return renderer;
}

/** Writes them all; the paths that were written, the one that was asked for first. @throws REPORT_UNWRITABLE */
export function writeReportFiles(report: Report, flags: ReportFlags): string[] {
  const files = reportFiles(flags);
  const [first] = files;
  for (const { path, renderer } of files) {
    const reportPath = renderer === json || first?.renderer !== json ? {} : { reportPath: first.path };
    writeWhole(path, renderer.render(report, { static: flags.htmlStatic ?? false, ...reportPath }));
  }
  return files.map(({ path }) => path);
}

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
