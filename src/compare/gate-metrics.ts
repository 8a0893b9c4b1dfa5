/**
 * What gates can ask for, and what to do when it misses its bound: accuracy (gate-accuracy.ts), latency, size, and where nodes run. To add
 * a gate metric, add a row.
 */
import { accuracyMetrics } from './gate-accuracy.ts';
import type { Better, OutputMetric } from './metrics/metric.ts';
import type { NodeRow, OutputRow, Report, TaskRow, TensorRow, TextRow } from './report.ts';

/** The results that gates read; a report is one. */
export interface GateFacts {
  readonly task: readonly TaskRow[];
  readonly outputs: readonly OutputRow[];
  readonly texts?: readonly TextRow[] | undefined;
  readonly nodes: readonly NodeRow[];
  readonly placement: Pick<Report['placement'], 'int8' | 'float' | 'conversions'>;
  readonly cost: Report['cost'];
  readonly tensors?: readonly TensorRow[] | undefined;
}

/** A value that a gate is held against. */
export interface GateValue {
  readonly value?: number | undefined;
  /** 95 % confidence interval of the value, where it is an estimate of something beyond these samples. */
  readonly interval?: [number, number] | undefined;
  /** Why there is no value. */
  readonly why?: string;
  /** What to do when the gate fails. */
  readonly hint?: string;
}

/** What must be there before anything is measured. */
export type GateNeed = 'labels' | 'latency' | 'layers';

/** One figure that a gate can name. */
export interface GateMetric {
  readonly name: string;
  readonly unit: OutputMetric['unit'] | 'times' | 'bytes' | 'ms' | 'count' | 'rmse/scale';
  readonly better: Better;
  /** For fractions: a larger bound is a slip, percent written without its sign. */
  readonly largestBound: number;
  readonly needs: readonly GateNeed[];
  /** For metrics of a named thing: refuses a name that there is not. */
  checkTarget?(facts: GateFacts, target: string, gate: string): void;
  read(facts: GateFacts, target: string | undefined, bound: number): GateValue;
}

/** Counts and ratios: any bound makes sense, and nothing has to be measured for them. */
const whole = { largestBound: Infinity, needs: [] } as const;

/** All of them, in the order in which errors list them. */
export const gateMetrics: readonly GateMetric[] = [
  ...accuracyMetrics,
  {
    name: 'latency.speedup',
    unit: 'times',
    better: 'higher',
    largestBound: Infinity,
    needs: ['latency'],
    read({ cost, nodes }) {
      const unfused = nodes.filter(({ placement }) => placement === 'not-fused').length;
      const hint =
        unfused > 0
          ? `${unfused} quantized nodes run in float between conversions: see nodes`
          : 'see placement for what runs in float; small models gain little from int8';
      return { value: cost.latencyMs?.speedup, why: 'latency was not measured', hint };
    },
  },
  {
    name: 'latency.quant',
    unit: 'ms',
    better: 'lower',
    largestBound: Infinity,
    needs: ['latency'],
    read: ({ cost }) => ({
      value: cost.latencyMs?.quant.p50,
      why: 'latency was not measured',
      hint: 'milliseconds depend on the machine: latency.speedup is steadier',
    }),
  },
  {
    name: 'size.ratio',
    unit: 'times',
    better: 'higher',
    ...whole,
    read: ({ cost }) => ({ value: cost.ratio, hint: 'weights of nodes left float keep their size: see nodes' }),
  },
  {
    name: 'size.bytes',
    unit: 'bytes',
    better: 'lower',
    ...whole,
    read: ({ cost }) => ({ value: cost.bytesQuant, hint: 'weights of nodes left float keep their size: see nodes' }),
  },
  {
    name: 'nodes.float',
    unit: 'count',
    better: 'lower',
    ...whole,
    read: ({ placement }) => ({ value: placement.float, hint: 'see nodes: each has its reason' }),
  },
  {
    name: 'nodes.not-fused',
    unit: 'count',
    better: 'lower',
    ...whole,
    read: ({ nodes }) => ({
      value: nodes.filter(({ placement }) => placement === 'not-fused').length,
      hint: 'see nodes: each has its reason',
    }),
  },
  {
    name: 'conversions',
    unit: 'count',
    better: 'lower',
    ...whole,
    read: ({ placement }) => ({ value: placement.conversions, hint: "'qdq explain' lists each with its reason" }),
  },
];
