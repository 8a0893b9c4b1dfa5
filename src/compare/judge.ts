/** Gates over results: their rows, what moved since the baseline, and the verdict. */
import { verdictOf } from './findings.ts';
import type { GateFacts } from './gate-metrics.ts';
import { changesSince, evaluateGates, type Gate } from './gates.ts';
import type { Baseline, Report } from './report.ts';

export interface BaselineSource {
  readonly path: string;
  /** Absent: the report that is being made becomes the baseline, and relative gates compare it with itself. */
  readonly report?: Report;
}

/** @throws GATE_OUTPUT, GATE_TENSOR, GATE_UNAVAILABLE */
export function judge(
  gates: readonly Gate[],
  facts: GateFacts & Pick<Report, 'warnings'>,
  baseline: BaselineSource | undefined,
): Pick<Report, 'gates' | 'verdict'> & { readonly baseline?: Baseline } {
  const rows = evaluateGates(gates, facts, baseline && (baseline.report ?? facts));
  const verdict = verdictOf({ gates: rows, outputs: facts.outputs, warnings: facts.warnings });
  if (!baseline?.report) return { gates: rows, verdict };
  const { created, models } = baseline.report;
  return {
    gates: rows,
    verdict,
    baseline: {
      path: baseline.path,
      ...(created === undefined ? {} : { created }),
      quant: models.quant.sha256,
      changes: changesSince(baseline.report, facts),
    },
  };
}

/** A finished report under other gates. */
export function judgeAgain(report: Report, gates: readonly Gate[], baseline: BaselineSource | undefined): Report {
  const { baseline: _before, ...rest } = report;
  return { ...rest, ...judge(gates, report, baseline) };
}
