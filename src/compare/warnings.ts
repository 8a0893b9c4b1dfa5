/**
 * Warnings: what a reader of the figures must know. Where the quantized model is slower than the float one on this machine, the warning says
 * why, and which scheme would not be: concrete flags, chosen by what the quantized graph really runs. The ratios behind that advice are
 * those of `qdq backends` and of the benchmark `latency`.
 */
import type { CpuInfo } from '../backends/cpu.ts';
import type { Placement, Report, TextRow, Warning } from './report.ts';
import type { Evaluation } from './evaluate.ts';
import { lacksVnni } from './saturation.ts';

/** What the warnings are drawn from. */
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

/** Lists the warnings of a comparison, in the order of the report. */
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

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

interface SlownessFacts {
  readonly placement: Placement;
  readonly nodes: Report['nodes'];
  readonly cpu: Pick<CpuInfo, 'arch' | 'features' | 'vnni'>;
}

/** Tells the cause and the remedy, in a clause each. */
function explainSlowness(facts: SlownessFacts): string {
  return `${causeOf(facts)}; ${remedyOf(facts)}`;
}

function causeOf({ placement, nodes, cpu }: SlownessFacts): string {
  const unfused = nodes.filter((node) => node.placement === 'not-fused');
  if (placement.int8 === 0) return 'nothing runs in int8';
  if (unfused.length > 0) {
    return `onnxruntime runs ${plural(unfused.length, 'quantized node')} in float between conversions (${operators(unfused)})`;
  }
  if (placement.float > 0 && 2 * placement.conversions >= placement.int8) {
    const float = nodes.length > 0 ? ` (${operators(nodes)})` : '';
    return `${placement.conversions} conversions stand between ${placement.int8} int8 and ${placement.float} float nodes${float}`;
  }
  if (lacksVnni(cpu)) return 'this CPU has no VNNI, which makes int8 kernels fast';
  return 'its layers are probably too small for int8 to pay';
}

/** Kernels of the dynamic, static and block forms of a matrix product, and of a convolution. */
const products = /^(MatMul|Gemm|QLinearMatMul|QGemm|MatMulIntegerToFloat|FusedMatMul|DynamicQuantizeMatMul)/;
const convolutions = /Conv/;

function remedyOf({ placement, nodes }: SlownessFacts): string {
  const counted = (pattern: RegExp): number =>
    Object.entries(placement.byOp).reduce(
      (sum, [op, { int8, float }]) => sum + (pattern.test(op) ? int8 + float : 0),
      0,
    );
  const matrices = counted(products);
  const dynamic = 'DynamicQuantizeMatMul' in placement.byOp || 'MatMulIntegerToFloat' in placement.byOp;
  if (matrices > counted(convolutions)) {
    return dynamic
      ? 'for size without loss of speed try --format weight-only, or leave the model float'
      : 'for products of matrices try --format dynamic, or --format weight-only when few rows are multiplied at a time';
  }
  const unfused = [...new Set(nodes.filter((node) => node.placement === 'not-fused').map(({ op }) => op))];
  if (unfused.length > 0)
    return `try --exclude ${unfused.slice(0, 3).join(' --exclude ')}; for size alone --format fp16`;
  return 'leave it float, or for size alone use --format fp16 (half) or --optimize size (a quarter)';
}

/** The operator types of the nodes, the most frequent first. */
function operators(nodes: Report['nodes']): string {
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, 3)
    .map(([op, count]) => `${count} ${op}`)
    .join(', ');
}

/** One warning for each output in which texts differ. */
function textWarnings(rows: readonly TextRow[]): Warning[] {
  return rows.flatMap(({ name, n, agreement, differ }) => {
    if (differ.length === 0) return [];
    const different = Math.round(n * (1 - agreement));
    const first = differ.map(({ sample, float, quant }) => `'${float}' became '${quant}' at sample '${sample}'`);
    const more = different > first.length ? ' and others' : '';
    const message = `output '${name}': ${different} of ${n} texts differ: ${first.join(', ')}${more}`;
    return [{ code: 'TEXTS_DIFFER', message }];
  });
}
