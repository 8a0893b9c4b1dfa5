/**
 * Why a quantized model is slower than the float one on this machine, and which scheme would not be: concrete flags, chosen by what
 * the quantized graph really runs. The ratios behind the advice are those of `qdq backends` and of the benchmark `latency`.
 */
import type { CpuInfo } from '../backends/cpu.ts';
import type { Placement, Report } from './report.ts';

export interface SlownessFacts {
  readonly placement: Placement;
  readonly nodes: Report['nodes'];
  readonly cpu: Pick<CpuInfo, 'arch' | 'features' | 'vnni'>;
}

/** An x64 CPU that is known to have no VNNI. */
export function lacksVnni({ arch, features, vnni }: SlownessFacts['cpu']): boolean {
  return arch === 'x64' && features.length > 0 && !vnni;
}

/** One sentence of cause, one of remedy. */
export function explainSlowness(facts: SlownessFacts): string {
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

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
