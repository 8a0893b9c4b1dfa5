/**
 * Gates: bounds on what a comparison measured, written `METRIC OP VALUE` with an optional level: 'top1.drop <= 1%',
 * 'warn: output[logits].sqnr >= 20'. Values are plain numbers; fractions may be in percent. A gate that cannot be decided is a
 * usage error, found as early as possible: a bound that is never checked is worse than none.
 */
import { compareErrors } from '../errors/compare.ts';
import { gateMetrics, type GateFacts, type GateMetric } from './gate-metrics.ts';
import type { GateRow } from './report.ts';

export interface Gate {
  /** As written, without the level, normalised in spacing. */
  readonly id: string;
  readonly level: GateRow['level'];
  readonly metric: GateMetric;
  /** The name in `output[NAME].…`; undefined for the worst output. */
  readonly output: string | undefined;
  readonly op: GateRow['op'];
  readonly bound: number;
}

const shape = /^(?:(warn|error)\s*:)?\s*(.+?)\s*(<=|>=|==|<|>)\s*([^\s<>=]+)$/;
const number = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(%?)$/i;
const ofOutput = /^output\[(.*)\]\.(.+)$/;

/** @throws GATE_SYNTAX, GATE_METRIC, GATE_PERCENT, GATE_FRACTION */
export function parseGate(text: string): Gate {
  const [, level = 'error', name, op, value] = shape.exec(text.trim()) ?? [];
  const [, digits, percent] = number.exec(value ?? '') ?? [];
  if (name === undefined || op === undefined || digits === undefined) throw compareErrors.gateSyntax(text);
  const [, output, ofMetric] = ofOutput.exec(name) ?? [];
  const metricName = ofMetric === undefined ? name : `output.${ofMetric}`;
  const metric = gateMetrics.find((candidate) => candidate.name === metricName);
  if (!metric)
    throw compareErrors.gateMetric(
      text,
      metricName,
      gateMetrics.map((candidate) => candidate.name),
    );
  if (percent && metric.unit !== 'fraction') throw compareErrors.gatePercent(text, metricName, metric.unit);
  const bound = Number(digits) / (percent ? 100 : 1);
  if (metric.unit === 'fraction' && !(Math.abs(bound) <= metric.largestBound))
    throw compareErrors.gateFraction(text, digits);
  return { id: `${name} ${op} ${value}`, level: level as Gate['level'], metric, output, op: op as Gate['op'], bound };
}

/** Refuses, before anything runs, gates that these conditions leave without a value. @throws GATE_UNAVAILABLE */
export function checkGates(
  gates: readonly Gate[],
  conditions: { readonly labels: boolean; readonly latency: boolean },
): void {
  for (const { id, metric } of gates) {
    for (const need of metric.needs) {
      if (!conditions[need]) throw compareErrors.gateUnavailable(id, missing[need]);
    }
  }
}

const missing = {
  labels: 'the samples have no labels',
  latency: 'latency was not measured',
};

/** @throws GATE_OUTPUT for an output that is not compared, GATE_UNAVAILABLE for a metric without a value */
export function evaluateGates(gates: readonly Gate[], facts: GateFacts): GateRow[] {
  return gates.map(({ id, level, metric, output, op, bound }) => {
    if (output !== undefined && !facts.outputs.some(({ name }) => name === output)) {
      throw compareErrors.gateOutput(
        id,
        output,
        facts.outputs.map(({ name }) => name),
      );
    }
    const { value, why, hint } = metric.read(facts, output, bound);
    if (value === undefined) throw compareErrors.gateUnavailable(id, why ?? 'it has no value');
    const pass = holds(value, op, bound);
    const advice = pass || hint === undefined ? {} : { hint };
    return { id, metric: metric.name, level, op, bound, value, unit: metric.unit, pass, ...advice };
  });
}

/** NaN passes no gate. */
function holds(value: number, op: GateRow['op'], bound: number): boolean {
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
