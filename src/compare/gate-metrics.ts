/** What gates can ask for: where each value stands in the results, and what to do when it misses its bound. */
import { compareErrors } from '../errors/compare.ts';
import { tensorMetrics } from './gate-accuracy.ts';
import { outputMetrics, taskMetrics, tasks } from './metrics/index.ts';
import type { Task, Better, OutputMetric, TaskMetric } from './metrics/metric.ts';
import { wilsonTrials } from './statistics.ts';
import { agreementsOf, type OutputValue } from './output-tally.ts';
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

const whole = { largestBound: Infinity, needs: [] } as const;

/** What qdq measures itself; every other row of the task is a user's. */
const builtIn: ReadonlySet<string> = new Set(
  [...taskMetrics, ...tasks.flatMap(({ metrics }) => metrics)].map(({ id }) => id),
);

export const gateMetrics: readonly GateMetric[] = [
  ...taskMetrics.map(dropOf),
  {
    name: 'agreement',
    unit: 'fraction',
    better: 'higher',
    largestBound: 1,
    needs: [],
    read({ task, ...facts }, _target, bound) {
      const agreements = agreementsOf(facts);
      const { value, interval } = agreements.find(({ name }) => name === task[0]?.output) ?? agreements[0] ?? {};
      const hint = moreTrials(value, interval, bound) ?? accuracyHint;
      const why = 'no output has a class axis (rank 2 or 3, at least 2 classes) or is of texts';
      return { value, interval, why, hint };
    },
  },
  ...outputMetrics.map(worstOf),
  ...tasks.flatMap((task) => task.metrics.map((metric) => judgedBy(task, metric))),
  {
    name: 'metric.value',
    unit: 'units of the output',
    better: 'higher',
    ...whole,
    read({ task }, target) {
      const own = task.find(({ metric }) => (target === undefined ? !builtIn.has(metric) : metric === target));
      const why = target === undefined ? 'there is no --metric module' : `no --metric module measures '${target}'`;
      return { value: own?.quant, why, hint: accuracyHint };
    },
  },
  ...tensorMetrics,
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

const accuracyHint = 'calibrate on more or more typical samples, or keep sensitive nodes float with --exclude';

/** What a task of --task found, of the output that is worst off. */
function judgedBy(task: Task, { id, unit, better }: Task['metrics'][number]): GateMetric {
  return {
    ...{ name: id, unit, better, largestBound: unit === 'fraction' ? 1 : Infinity, needs: [] },
    read({ task: rows }) {
      const found = rows.filter(({ metric }) => metric === id);
      const worse = (a: TaskRow, b: TaskRow): boolean => (better === 'higher' ? a.quant < b.quant : a.quant > b.quant);
      const worst = found.reduce<TaskRow | undefined>(
        (least, row) => (!least || worse(row, least) ? row : least),
        undefined,
      );
      const ci95 = worst?.ci95;
      return {
        value: worst?.quant,
        ...(worst && ci95 && { interval: [worst.float + ci95[0], worst.float + ci95[1]] as [number, number] }),
        why: `it is measured with --task ${task.id}, where there is anything to measure`,
        hint: accuracyHint,
      };
    },
  };
}

/** How much of a task metric was lost, float − quant. */
function dropOf(metric: TaskMetric): GateMetric {
  return {
    name: `${metric.id}.drop`,
    unit: metric.unit,
    better: 'lower',
    // A drop of 1 is everything there is to lose: '<= 1' can only mean one percent.
    largestBound: 0.999999,
    needs: ['labels'],
    read({ task }, _target, bound) {
      const row = task.find((candidate) => candidate.metric === metric.id);
      if (!row)
        return { why: `no output is of shape [samples, classes] with at least ${metric.minimumClasses} classes` };
      const interval = row.ci95 && ([0 - row.ci95[1], 0 - row.ci95[0]] satisfies [number, number]);
      return { value: 0 - row.delta, interval, hint: moreSamples(row, bound) ?? accuracyHint };
    },
  };
}

/**
 * When the bound lies within the confidence interval the samples are too few to tell; says how many would do. The interval
 * shrinks with the square root of the number of samples.
 */
function moreSamples({ n, delta, ci95 }: TaskRow, bound: number): string | undefined {
  if (!ci95) return undefined;
  const [low, high] = ci95;
  if (!(-bound >= low && -bound <= high)) return undefined;
  if (delta === -bound)
    return `${n} samples measure exactly the bound, and no number of samples proves that it is not exceeded: allow some drop, or judge 'by estimate'`;
  const needed = Math.ceil(n * ((high - low) / 2 / (delta + bound)) ** 2);
  const met = delta > -bound ? "; the estimate itself is within the bound, 'by estimate' judges that" : '';
  return `too close to tell with ${n} samples: about ${needed} would settle it${met}`;
}

/** The same for a share of samples. */
function moreTrials(
  share: number | undefined,
  interval: [number, number] | undefined,
  bound: number,
): string | undefined {
  if (share === undefined || !interval || !(bound >= interval[0] && bound <= interval[1])) return undefined;
  if (share === bound || bound === 1) return `no number of samples proves it: ask for less, or judge 'by estimate'`;
  const met = share > bound ? "; the estimate itself is within the bound, 'by estimate' judges that" : '';
  return `too close to tell with these samples: about ${wilsonTrials(share, bound)} would settle it${met}`;
}

/** An output metric of the output that is worst off. */
function worstOf(metric: OutputMetric): GateMetric {
  return {
    name: `output.${metric.id}`,
    unit: metric.unit,
    better: metric.better,
    largestBound: metric.unit === 'fraction' ? 1 : Infinity,
    needs: [],
    checkTarget({ outputs, texts = [] }, target, gate) {
      const names = [...outputs, ...texts].map(({ name }) => name);
      if (!names.includes(target)) throw compareErrors.gateOutput(gate, target, names);
    },
    read(facts, target, bound) {
      const all: readonly OutputValue[] =
        metric.field === 'argmaxAgreement'
          ? agreementsOf(facts)
          : facts.outputs.flatMap(({ name, [metric.field]: value }) =>
              typeof value === 'number' ? [{ name, value }] : [],
            );
      const values = all.filter(({ name }) => target === undefined || name === target);
      const [first, ...others] = values;
      if (!first) return { why: `no output of this shape has ${metric.id}` };
      const worse = (a: number, b: number): boolean => (metric.better === 'higher' ? a < b : a > b);
      const worst = others.reduce((least, row) => (worse(row.value, least.value) ? row : least), first);
      const { name, value, interval } = worst;
      const hint = moreTrials(value, interval, bound) ?? accuracyHint;
      return { value, ...(interval && { interval }), hint: `worst in output '${name}': ${hint}` };
    },
  };
}
