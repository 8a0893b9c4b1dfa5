/** Ends commands that make a report: forms for GitHub where they are wanted, each failed gate on stderr, the exit code. */
import { appendFileSync } from 'node:fs';
import type { Report } from '../compare/report.ts';
import { reportErrors } from '../errors/compare.ts';
import { renderAnnotations } from '../report/annotations.ts';
import { renderMarkdown } from '../report/markdown.ts';
import { gateLine } from '../report/words.ts';
import type { Console } from './console.ts';
import { shown } from './request.ts';

export interface FinishFlags {
  readonly github: boolean;
  readonly baseline?: string;
  readonly updateBaseline: boolean;
}

/** 1 when the verdict is a failure, else 0. @throws SUMMARY_UNWRITABLE */
export function finishReport(report: Report, flags: FinishFlags, console: Console): number {
  if (flags.github) tellGitHub(report, console);
  if (flags.updateBaseline && flags.baseline !== undefined) {
    const kept = report.verdict === 'fail';
    console.note(kept ? `${shown(flags.baseline)} stays as it was` : `baseline ${shown(flags.baseline)} updated`);
  }
  for (const gate of report.gates) if (!gate.pass && gate.level === 'error') console.fail(gateLine(gate));
  for (const { name, nonFinite } of report.outputs)
    if (nonFinite > 0) console.fail(`output '${name}' holds ${nonFinite} NaN or infinite values`);
  return report.verdict === 'fail' ? 1 : 0;
}

function tellGitHub(report: Report, console: Console): void {
  console.emit(renderAnnotations(report));
  const path = console.env['GITHUB_STEP_SUMMARY'];
  if (!path) {
    console.warn('GITHUB_STEP_SUMMARY is not set, so there is no job summary to write to');
    return;
  }
  try {
    appendFileSync(path, `${renderMarkdown(report)}\n`);
  } catch (cause) {
    throw reportErrors.summaryUnwritable(path, cause);
  }
}
