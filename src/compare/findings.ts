/** What a reader of the numbers must know: warnings, and the verdict over everything. */
import type { CpuInfo } from '../backends/cpu.ts';
import type { Evaluation } from './evaluate.ts';
import { explainSlowness } from './slowness.ts';
import type { GateRow, OutputRow, Report, Verdict, Warning } from './report.ts';
import { textWarnings } from './texts.ts';

export interface Findings {
  readonly evaluation: Evaluation;
  readonly data: Report['data'];
  readonly placement: Report['placement'];
  readonly nodes: Report['nodes'];
  /** Nodes with float weights that onnxruntime quantized all the same. */
  readonly quantizedAnyway: readonly string[];
  readonly cost: Report['cost'];
  readonly cpu: Pick<CpuInfo, 'arch' | 'features' | 'vnni'>;
  /** Int8 products of the quantized model may have saturated in the outputs that were compared. */
  readonly saturated: boolean;
}

/** Warnings that by themselves lower the verdict. */
const lowering = new Set(['SYNTHETIC_DATA', 'SLOWER']);

export function warningsOf(findings: Findings): Warning[] {
  const { evaluation, data, placement, nodes, quantizedAnyway, cost, saturated } = findings;
  const warnings: Warning[] = [];
  const warn = (code: string, message: string): number => warnings.push({ code, message });
  if (data.evaluation.synthetic) {
    warn('SYNTHETIC_DATA', 'the samples are generated, not real: the accuracy figures say nothing about real data');
  }
  const { skipped } = data.evaluation;
  if (skipped)
    warn('SKIPPED', `${plural(skipped.n, 'bad sample')} left out of the comparison: ${skipped.first.join('; ')}`);
  for (const { name, nonFinite } of evaluation.outputs) {
    if (nonFinite > 0)
      warn('NOT_FINITE', `output '${name}' of the quantized model holds ${nonFinite} NaN or infinite values`);
  }
  const speedup = cost.latencyMs?.speedup;
  if (speedup !== undefined && speedup < 1) {
    warn('SLOWER', `the quantized model is slower than the float model on this machine: ${explainSlowness(findings)}`);
  }
  if (placement.int8 === 0) warn('NO_INT8', 'no node of the quantized model runs in int8');
  const unfused = nodes.filter((node) => node.placement === 'not-fused').length;
  if (unfused > 0)
    warn(
      'NOT_FUSED',
      `${plural(unfused, 'quantized node')} still ${unfused === 1 ? 'runs' : 'run'} in float between conversions`,
    );
  if (quantizedAnyway.length > 0) {
    const names = quantizedAnyway.map((name) => `'${name}'`).join(', ');
    warn(
      'QUANTIZED_ANYWAY',
      `onnxruntime quantizes the float weights of ${names}, because quantizers stand on both sides: to keep such a node in float, its neighbours must stay float too`,
    );
  }
  if (saturated) {
    warn(
      'SATURATION',
      'this CPU has no VNNI: u8 × s8 products saturate here, so accuracy is lower than on CPUs that have it (and on arm64)',
    );
  }
  const { calibration, evaluation: evaluated } = data;
  if (calibration?.idsHash && calibration.idsHash === evaluated.idsHash && calibration.source === evaluated.source) {
    warn('CALIBRATION_REUSED', 'the model was calibrated on these very samples: the accuracy figures are optimistic');
  }
  if (evaluation.labelled && evaluation.task.length === 0) {
    warn('LABELS_UNUSED', 'the labels are not used: no output is of shape [samples, classes]');
  }
  warnings.push(...textWarnings(evaluation.texts));
  for (const { reason } of evaluation.skipped) warn('OUTPUT_NOT_COMPARED', `${reason} and is not compared`);
  return warnings;
}

/** A function of the report alone, so that it can be taken again when parts of the report are left out. */
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

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
