/** Reports as bytes: one report has one text, whatever order its parts were made in. */
import { verdictOf } from './findings.ts';
import type { Baseline, Report } from './report.ts';

/** JSON with sorted keys, two spaces of indent and a final newline; NaN and infinities are strings, undefined keys are left out. */
export function canonicalJson(value: unknown): string {
  return `${JSON.stringify(value, normalise, 2)}\n`;
}

function normalise(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The report without anything that depends on the clock: equal inputs give equal bytes. */
export function withoutTimes(report: Report): Report {
  const { created: _created, cost, profile: _profile, baseline, ...rest } = report;
  const { latencyMs: _latency, ...size } = cost;
  const timeless = {
    ...rest,
    cost: size,
    gates: report.gates.filter(({ metric }) => !isTime(metric)),
    ...(baseline === undefined ? {} : { baseline: timelessBaseline(baseline) }),
    warnings: report.warnings.filter(({ code }) => code !== 'SLOWER'),
  };
  return { ...timeless, verdict: verdictOf(timeless) };
}

const isTime = (metric: string): boolean => metric.startsWith('latency.');

function timelessBaseline({ created: _created, changes, ...rest }: Baseline): Baseline {
  return { ...rest, changes: changes.filter(({ metric }) => !isTime(metric)) };
}
