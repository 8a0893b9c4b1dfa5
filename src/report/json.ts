/** The report as JSON: sorted keys, raw numbers, the same text as the file that `--report` writes. */
import { canonicalJson, type Report } from '../compare/report.ts';
import { withoutTimes } from '../compare/verdict.ts';
import type { Renderer } from './renderer.ts';

export function renderJson(report: Report, { reproducible = false }: { readonly reproducible?: boolean } = {}): string {
  return canonicalJson(reproducible ? withoutTimes(report) : report);
}

export const json: Renderer = {
  format: 'json',
  extension: '.json',
  describe: 'everything, raw: what --report writes',
  render: (report) => renderJson(report),
};
