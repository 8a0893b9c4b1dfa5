/** What gates can ask for: where each value stands in the results, and what to do when it misses its bound. */
import { outputMetrics, taskMetrics } from './metrics/index.ts';
import type { OutputMetric, TaskMetric } from './metrics/metric.ts';
import type { NodeRow, OutputRow, Report, TaskRow } from './report.ts';

/** The results that gates read. */
export interface GateFacts {
  readonly task: readonly TaskRow[];
  readonly outputs: readonly OutputRow[];
  readonly nodes: readonly NodeRow[];
  readonly cost: Report['cost'];
}

export interface GateValue {
  readonly value?: number | undefined;
  /** Why there is no value. */
  readonly why?: string;
  /** What to do when the gate fails. */
  readonly hint?: string;
}

export interface GateMetric {
  readonly name: string;
  readonly unit: OutputMetric['unit'] | 'times';
  /** For fractions: a larger bound is a slip, percent written without its sign. */
  readonly largestBound: number;
  /** What must be there before anything is measured. */
  readonly needs: readonly ('labels' | 'latency')[];
  read(facts: GateFacts, output: string | undefined, bound: number): GateValue;
}

export const gateMetrics: readonly GateMetric[] = [
  ...taskMetrics.map(dropOf),
  {
    name: 'agreement',
    unit: 'fraction',
    largestBound: 1,
    needs: [],
    read({ task, outputs }) {
      const classifier = task[0]?.output;
      const row =
        outputs.find(({ name }) => name === classifier) ??
        outputs.find(({ argmaxAgreement }) => argmaxAgreement !== null);
      const value = row?.argmaxAgreement ?? undefined;
      return { value, why: 'no output has a class axis (rank 2 or 3, at least 2 classes)', hint: accuracyHint };
    },
  },
  ...outputMetrics.map(worstOf),
  {
    name: 'latency.speedup',
    unit: 'times',
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
    name: 'size.ratio',
    unit: 'times',
    largestBound: Infinity,
    needs: [],
    read: ({ cost }) => ({ value: cost.ratio, hint: 'weights of nodes left float keep their size: see nodes' }),
  },
];

const accuracyHint = 'calibrate on more or more typical samples, or keep sensitive nodes float with --exclude';

/** How much of a task metric was lost, float − quant. */
function dropOf(metric: TaskMetric): GateMetric {
  return {
    name: `${metric.id}.drop`,
    unit: metric.unit,
    // A drop of 1 is everything there is to lose: '<= 1' can only mean one percent.
    largestBound: 0.999999,
    needs: ['labels'],
    read({ task }, _output, bound) {
      const row = task.find((candidate) => candidate.metric === metric.id);
      if (!row)
        return { why: `no output is of shape [samples, classes] with at least ${metric.minimumClasses} classes` };
      return { value: 0 - row.delta, hint: moreSamples(row, bound) ?? accuracyHint };
    },
  };
}

/** When the bound lies within the confidence interval the samples are too few to tell; says how many would do. */
function moreSamples({ n, delta, ci95 }: TaskRow, bound: number): string | undefined {
  if (!ci95) return undefined;
  const [low, high] = ci95;
  if (!(-bound >= low && -bound <= high) || delta === -bound) return undefined;
  const needed = Math.ceil(n * ((high - low) / 2 / (delta + bound)) ** 2);
  return `too close to tell with ${n} samples: about ${needed} would settle it`;
}

/** An output metric of the output that is worst off. */
function worstOf(metric: OutputMetric): GateMetric {
  return {
    name: `output.${metric.id}`,
    unit: metric.unit,
    largestBound: metric.unit === 'fraction' ? 1 : Infinity,
    needs: [],
    read({ outputs }, output) {
      const values = outputs.flatMap(({ name, ...row }) => {
        const value = row[metric.field];
        return value === null || (output !== undefined && name !== output) ? [] : [{ name, value }];
      });
      const [first, ...others] = values;
      if (!first) return { why: `no output of this shape has ${metric.id}` };
      const worse = (a: number, b: number): boolean => (metric.better === 'higher' ? a < b : a > b);
      const worst = others.reduce((least, row) => (worse(row.value, least.value) ? row : least), first);
      return { value: worst.value, hint: `worst in output '${worst.name}': ${accuracyHint}` };
    },
  };
}
