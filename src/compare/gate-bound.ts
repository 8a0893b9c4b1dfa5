/**
 * The right-hand side of a gate: a number, or something relative to the baseline report: `baseline`, `baseline + 0.5%`,
 * `baseline - 2`, `baseline * 95%`. In a fraction a percent sign behind + and - means percentage points; behind * it scales.
 */
import { compareErrors } from '../errors/compare.ts';
import type { GateMetric } from './gate-metrics.ts';

export type Bound =
  | { readonly kind: 'absolute'; readonly value: number }
  /** factor × the baseline's value + offset */
  | { readonly kind: 'relative'; readonly factor: number; readonly offset: number };

const number = String.raw`([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(%?)`;
const absolute = new RegExp(`^${number}$`, 'i');
const relative = new RegExp(String.raw`^baseline(?:\s*([-+*])\s*${number})?$`, 'i');

/**
 * @param gate the gate as written, for errors
 * @returns undefined when the text is no bound
 * @throws GATE_PERCENT, GATE_FRACTION
 */
export function parseBound(text: string, gate: string, metric: GateMetric): Bound | undefined {
  const plain = absolute.exec(text);
  if (plain) return { kind: 'absolute', value: inUnitOf(metric, gate, plain[1]!, plain[2]!) };
  const found = relative.exec(text);
  if (!found) return undefined;
  const [, operator, digits, percent] = found;
  if (operator === undefined) return { kind: 'relative', factor: 1, offset: 0 };
  if (operator === '*') return { kind: 'relative', factor: Number(digits) / (percent ? 100 : 1), offset: 0 };
  const offset = inUnitOf(metric, gate, digits!, percent!);
  return { kind: 'relative', factor: 1, offset: operator === '-' ? -offset : offset };
}

function inUnitOf(metric: GateMetric, gate: string, digits: string, percent: string): number {
  if (percent && metric.unit !== 'fraction') throw compareErrors.gatePercent(gate, metric.name, metric.unit);
  const value = Number(digits) / (percent ? 100 : 1);
  if (metric.unit === 'fraction' && !(Math.abs(value) <= metric.largestBound))
    throw compareErrors.gateFraction(gate, digits);
  return value;
}
