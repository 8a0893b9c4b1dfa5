/**
 * The verdict over results: gates, what moved since the baseline, and the warnings that count. A finished report can be judged again under
 * other gates, and without the figures that depend on the clock.
 */
import type { Baseline, GateRow, OutputRow, Report, Verdict, Warning } from './report.ts';
import type { GateFacts } from './gate-metrics.ts';
import { changesSince, evaluateGates, type Gate } from './gates.ts';

/** What relative gates compare with. */
export interface BaselineSource {
  readonly path: string;
  /** Absent: the report that is being made becomes the baseline, and relative gates compare it with itself. */
  readonly report?: Report;
}

/** Code of the warnings that come from the baseline, and go with it. */
const code = 'BASELINE';

/** Judges results under gates. @throws GATE_OUTPUT, GATE_TENSOR, GATE_UNAVAILABLE */
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

/** Tells why the figures of the baseline say little of these: other models, other samples, a failed run. */
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

/** Judges a finished report again, under other gates. */
export function judgeAgain(report: Report, gates: readonly Gate[], baseline: BaselineSource | undefined): Report {
  const { baseline: _before, ...rest } = report;
  const warnings = report.warnings.filter((warning) => warning.code !== code);
  return { ...rest, ...judge(gates, { ...report, warnings }, baseline) };
}

/** Leaves out of a report all that depends on the clock, so that equal inputs give equal bytes. */
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

/** Warnings that by themselves lower the verdict. */
const lowering = new Set(['SYNTHETIC_DATA', 'SLOWER']);

/** Finds the verdict: a function of the report alone, so that it can be found again when parts of the report are left out. */
export function verdictOf(report: {
  readonly gates: readonly GateRow[];
  readonly outputs: readonly OutputRow[];
  readonly warnings: readonly Warning[];
}): Verdict {
  const failed = report.gates.filter(({ pass, level }) => !pass && level !== 'off');
  if (failed.some(({ level }) => level === 'error') || report.outputs.some(({ nonFinite }) => nonFinite > 0))
    return 'fail';
  return failed.length > 0 || report.warnings.some(({ code }) => lowering.has(code)) ? 'warn' : 'pass';
}
