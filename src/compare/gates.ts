/**
 * Gates: bounds on what a comparison measured, written `[LEVEL:] METRIC OP BOUND [by estimate]`: 'top1.drop <= 1%',
 * 'warn: output[logits].sqnr >= 20', 'latency.speedup >= baseline * 90%'. Values are plain numbers; fractions may be in percent.
 * The level says what a miss means: error (the default), warn, or off (shown, never judged).
 *
 * Where a figure has a 95 % confidence interval, its worse end is judged: the upper end against <= and <, the lower end against
 * >= and >. A gate that passes therefore holds for more than these samples. `by estimate` judges the figure itself.
 *
 * The bound is a number, or relative to the baseline report: `baseline`, `baseline + 0.5%`, `baseline - 2`, `baseline * 95%`. In a fraction
 * a percent sign behind + and - means percentage points; behind * it scales.
 *
 * A gate that cannot be decided is a usage error, found as early as possible: a bound that is never checked is worse than none.
 */
import { compareErrors } from '../errors/compare.ts';
import { type GateMetric, gateMetrics, type GateFacts, type GateNeed } from './gate-metrics.ts';
import type { Baseline, GateRow, Report } from './report.ts';

/** A gate that was read. */
export interface Gate {
  /** As written, without the level, normalised in spacing. */
  readonly id: string;
  readonly level: GateRow['level'];
  readonly metric: GateMetric;
  /** The name in `output[NAME].…` and `tensor[NAME].…`; undefined for the worst of all. */
  readonly target: string | undefined;
  readonly op: GateRow['op'];
  readonly bound: Bound;
  /** Judge the figure itself, not its confidence bound. */
  readonly byEstimate: boolean;
}

const shape = /^(?:(warn|error|off)\s*:)?\s*(.+?)\s*(<=|>=|==|<|>)\s*([^\s<>=](?:[^<>=]*[^\s<>=])?)$/;
const judgement = /\s+by\s+(estimate|bound)$/;
const ofTarget = /^(output|tensor|metric)\[(.*)\]\.(.+)$/;

/** Reads a gate as it is written. @throws GATE_SYNTAX, GATE_METRIC, GATE_PERCENT, GATE_FRACTION */
export function parseGate(text: string): Gate {
  const [, judged] = judgement.exec(text.trimEnd()) ?? [];
  const [, level = 'error', name, op, value] = shape.exec(text.trim().replace(judgement, '')) ?? [];
  if (name === undefined || op === undefined || value === undefined) throw compareErrors.gateSyntax(text);
  const [, family, target, ofMetric] = ofTarget.exec(name) ?? [];
  const metricName = family === undefined ? name : `${family}.${ofMetric}`;
  const metric = gateMetrics.find((candidate) => candidate.name === metricName);
  if (!metric)
    throw compareErrors.gateMetric(
      text,
      metricName,
      gateMetrics.map((candidate) => candidate.name),
    );
  const bound = parseBound(value, text, metric);
  if (!bound) throw compareErrors.gateSyntax(text);
  const byEstimate = judged === 'estimate';
  const id = `${name} ${op} ${value.replaceAll(/\s+/g, ' ')}${byEstimate ? ' by estimate' : ''}`;
  return { id, level: level as Gate['level'], metric, target, op: op as Gate['op'], bound, byEstimate };
}

/**
 * Refuses, before anything runs, gates that these conditions leave without a value. Gates that are off need nothing.
 * @throws GATE_UNAVAILABLE
 */
export function checkGates(
  gates: readonly Gate[],
  conditions: Readonly<Partial<Record<GateNeed | 'baseline', boolean>>>,
): void {
  for (const { id, level, metric, bound } of gates) {
    if (level === 'off') continue;
    for (const need of [...metric.needs, ...(bound.kind === 'relative' ? (['baseline'] as const) : [])]) {
      if (!conditions[need]) throw compareErrors.gateUnavailable(id, missing[need]);
    }
  }
}

const missing: Readonly<Record<GateNeed | 'baseline', string>> = {
  labels: 'the samples have no labels',
  latency: 'latency was not measured',
  layers: 'the tensors were not compared',
  baseline: 'it is relative to a baseline, and there is none (--baseline)',
};

/**
 * Holds the gates against results.
 * @param baseline the facts of the report that relative gates compare with
 * @throws GATE_OUTPUT and GATE_TENSOR for names that are not compared, GATE_UNAVAILABLE for a metric without a value here or in
 * the baseline
 */
export function evaluateGates(gates: readonly Gate[], facts: GateFacts, baseline?: GateFacts): GateRow[] {
  return gates.map((gate) => {
    const { id, level, metric, target, op } = gate;
    if (target !== undefined) metric.checkTarget?.(facts, target, id);
    const before = gate.bound.kind === 'relative' ? valueBefore(gate, baseline) : undefined;
    const bound =
      gate.bound.kind === 'absolute' ? gate.bound.value : gate.bound.factor * (before ?? NaN) + gate.bound.offset;
    const { value, interval, why, hint } = metric.read(facts, target, bound);
    if (value === undefined && level !== 'off') throw compareErrors.gateUnavailable(id, why ?? 'it has no value');
    const measured = value ?? NaN;
    const judged = interval && !gate.byEstimate ? worseEnd(interval, op) : undefined;
    const pass = holds(judged ?? measured, op, bound);
    return {
      id,
      metric: metric.name,
      level,
      op,
      bound,
      value: measured,
      ...(interval === undefined ? {} : { interval }),
      ...(judged === undefined ? {} : { judged }),
      ...(before === undefined ? {} : { baseline: before }),
      unit: metric.unit,
      pass,
      ...(pass || hint === undefined || level === 'off' ? {} : { hint }),
    };
  });
}

/**
 * What a relative bound starts from. Like is held against like: where the worse end of an interval is judged, it is the same end of
 * the baseline's, so that an unchanged model passes.
 * @throws GATE_UNAVAILABLE
 */
function valueBefore({ id, level, metric, target, op, byEstimate }: Gate, baseline?: GateFacts): number | undefined {
  const unavailable = (why: string): undefined => {
    if (level !== 'off') throw compareErrors.gateUnavailable(id, why);
  };
  if (!baseline) return unavailable(missing.baseline);
  const broken = baseline.outputs.find(({ nonFinite }) => nonFinite > 0);
  if (broken)
    return unavailable(`output '${broken.name}' of the baseline holds ${broken.nonFinite} NaN or infinite values`);
  try {
    if (target !== undefined) metric.checkTarget?.(baseline, target, id);
  } catch {
    return unavailable(`the baseline does not know '${target}'`);
  }
  const { value, interval } = metric.read(baseline, target, NaN);
  if (value === undefined) return unavailable('the baseline has no value for it');
  return (interval && !byEstimate ? worseEnd(interval, op) : undefined) ?? value;
}

/** Where the truth may be at its worst for this operator; undefined for ==, which asks for the figure itself. */
function worseEnd([low, high]: [number, number], op: GateRow['op']): number | undefined {
  if (op === '==') return undefined;
  return op === '<=' || op === '<' ? high : low;
}

/** Whether the value meets the bound. NaN passes no gate. */
export function holds(value: number, op: GateRow['op'], bound: number): boolean {
  switch (op) {
    case '<=':
      return value <= bound;
    case '>=':
      return value >= bound;
    case '<':
      return value < bound;
    case '>':
      return value > bound;
    case '==':
      return value === bound;
  }
}

/** Lists what moved since the baseline: every metric that both reports have. */
export function changesSince(baseline: Report, facts: GateFacts): Baseline['changes'] {
  return gateMetrics.flatMap(({ name, unit, better, read }) => {
    const [before, now] = [read(baseline, undefined, NaN).value, read(facts, undefined, NaN).value];
    return before === undefined || now === undefined ? [] : [{ metric: name, unit, better, baseline: before, now }];
  });
}

type Bound =
  | { readonly kind: 'absolute'; readonly value: number }
  /** factor × the baseline's value + offset */
  | { readonly kind: 'relative'; readonly factor: number; readonly offset: number };

const number = String.raw`([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(%?)`;
const absolute = new RegExp(`^${number}$`, 'i');
const relative = new RegExp(String.raw`^baseline(?:\s*([-+*])\s*${number})?$`, 'i');

/**
 * Reads the right-hand side of a gate.
 * @param gate the gate as written, for errors
 * @returns undefined when the text is no bound
 * @throws GATE_PERCENT, GATE_FRACTION
 */
function parseBound(text: string, gate: string, metric: GateMetric): Bound | undefined {
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
