/** Gates over results: their rows, what moved since the baseline, and the verdict. */
import { verdictOf } from './warnings.ts';
import type { Baseline, Report } from './report.ts';
import type { GateFacts } from './gate-metrics.ts';
import { changesSince, evaluateGates, type Gate } from './gates.ts';

export interface BaselineSource {
  readonly path: string;
  /** Absent: the report that is being made becomes the baseline, and relative gates compare it with itself. */
  readonly report?: Report;
}

/** Of warnings that come from the baseline, and go with it. */
const code = 'BASELINE';

/** @throws GATE_OUTPUT, GATE_TENSOR, GATE_UNAVAILABLE */
export function judge(
  gates: readonly Gate[],
  facts: GateFacts & Pick<Report, 'warnings' | 'models' | 'data'>,
  baseline: BaselineSource | undefined,
): Pick<Report, 'gates' | 'verdict' | 'warnings'> & { readonly baseline?: Baseline } {
  const rows = evaluateGates(gates, facts, baseline && (baseline.report ?? facts));
  const strange = baseline?.report ? differences(baseline.report, facts) : [];
  const warnings = [
    ...facts.warnings,
    ...strange.map((what) => ({ code, message: `the baseline ${baseline!.path} ${what}` })),
  ];
  const verdict = verdictOf({ gates: rows, outputs: facts.outputs, warnings });
  if (!baseline?.report) return { gates: rows, verdict, warnings };
  const { created, models } = baseline.report;
  return {
    gates: rows,
    verdict,
    warnings,
    baseline: {
      path: baseline.path,
      ...(created === undefined ? {} : { created }),
      quant: models.quant.sha256,
      changes: changesSince(baseline.report, facts),
    },
  };
}

/** What makes its figures say little of these. */
function differences(before: Report, { models, data }: Pick<Report, 'models' | 'data'>): string[] {
  const was = before.data.evaluation;
  const is = data.evaluation;
  const found: string[] = [];
  if (before.models.float.sha256 !== models.float.sha256)
    found.push(`is of another float model (${before.models.float.path}): its figures are not those of this one`);
  // null: a stream, whose samples nobody knows.
  if (was.idsHash !== is.idsHash && was.idsHash !== null && is.idsHash !== null)
    found.push(`was measured on other samples (${was.n} of ${was.source}; now ${is.n} of ${is.source})`);
  else if (was.preprocess !== is.preprocess)
    found.push(`was measured with another preprocessing (${was.preprocess ?? 'none'})`);
  if (before.verdict === 'fail') found.push('comes from a run that failed');
  return found;
}

/** A finished report under other gates. */
export function judgeAgain(report: Report, gates: readonly Gate[], baseline: BaselineSource | undefined): Report {
  const { baseline: _before, ...rest } = report;
  const warnings = report.warnings.filter((warning) => warning.code !== code);
  return { ...rest, ...judge(gates, { ...report, warnings }, baseline) };
}

/** Reports as bytes: one report has one text, whatever order its parts were made in. */

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
