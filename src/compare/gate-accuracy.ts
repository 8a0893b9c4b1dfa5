/**
 * What gates can ask of accuracy: the drop of a task metric, agreement, the worst output or tensor, the scores of tasks, and a user's own
 * metric; with what to do when it misses its bound, and how many samples would settle a bound that is too close to tell.
 */
import { compareErrors } from '../errors/compare.ts';
import type { GateMetric } from './gate-metrics.ts';
import { outputMetrics, taskMetrics, tasks } from './metrics/index.ts';
import type { OutputMetric, Task, TaskMetric } from './metrics/metric.ts';
import type { OutputRow, TaskRow, TensorRow, TextRow } from './report.ts';
import { wilsonTrials } from './statistics.ts';

/** Gates on single tensors, for reports that looked inside: `tensor.isolated` is the worst of all, `tensor[NAME].isolated` one. */
const tensorMetrics: readonly GateMetric[] = [
  worstTensor('sqnr', 'dB', 'higher', 'both models run whole', ({ accumulated }) => accumulated?.sqnrDb),
  worstTensor('isolated', 'dB', 'higher', 'this quantizer alone', ({ isolated }) => isolated?.sqnrDb),
  worstTensor('rmse', 'rmse/scale', 'lower', 'ideal rounding has 0.289', ({ isolated }) => isolated?.rmseOverScale),
  worstTensor('saturated', 'fraction', 'lower', 'beyond the first or last code', ({ isolated }) =>
    isolated === undefined ? undefined : isolated.saturatedPct / 100,
  ),
];

/** What qdq measures itself; every other row of the task is a user's. */
const builtIn: ReadonlySet<string> = new Set(
  [...taskMetrics, ...tasks.flatMap(({ metrics }) => metrics)].map(({ id }) => id),
);

/** In the order of the list of gates. */
export const accuracyMetrics: readonly GateMetric[] = [
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
  ...tasks.flatMap((task) => task.metrics.map((metric) => taskScoreOf(task, metric))),
  {
    name: 'metric.value',
    unit: 'units of the output',
    better: 'higher',
    largestBound: Infinity,
    needs: [],
    read({ task }, target) {
      const own = task.find(({ metric }) => (target === undefined ? !builtIn.has(metric) : metric === target));
      const why = target === undefined ? 'there is no --metric module' : `no --metric module measures '${target}'`;
      return { value: own?.quant, why, hint: accuracyHint };
    },
  },
  ...tensorMetrics,
];

/** A figure of the tensor that is worst off, or of the named one. */
function worstTensor(
  id: string,
  unit: GateMetric['unit'],
  better: GateMetric['better'],
  meaning: string,
  valueOf: (row: TensorRow) => number | undefined,
): GateMetric {
  const worse = (a: number, b: number): boolean => Number.isNaN(a) || (better === 'higher' ? a < b : a > b);
  return {
    name: `tensor.${id}`,
    unit,
    better,
    largestBound: unit === 'fraction' ? 1 : Infinity,
    needs: ['layers'],
    checkTarget({ tensors = [] }, target, gate) {
      const names = tensors.map(({ name }) => name);
      if (!names.includes(target)) throw compareErrors.gateTensor(gate, target, names);
    },
    read({ tensors }, target) {
      if (!tensors) return { why: 'the tensors were not compared' };
      const values = tensors.flatMap((row) => {
        const value = target !== undefined && row.name !== target ? undefined : valueOf(row);
        return value === undefined ? [] : [{ row, value }];
      });
      const [first, ...others] = values;
      if (!first) return { why: `no tensor has a value for it (${meaning})` };
      const worst = others.reduce((least, each) => (worse(each.value, least.value) ? each : least), first);
      return {
        value: worst.value,
        hint: `worst in tensor '${worst.row.name}' of ${worst.row.node}: another --observer, or --exclude ${worst.row.node}`,
      };
    },
  };
}

/** A figure of one output. */
interface OutputValue {
  readonly name: string;
  readonly value: number;
  readonly interval?: [number, number] | undefined;
}

/** Agreement of every output that has one: of classes, then of texts. */
export function agreementsOf(facts: {
  readonly outputs: readonly OutputRow[];
  readonly texts?: readonly TextRow[] | undefined;
}): OutputValue[] {
  const { outputs, texts = [] } = facts;
  return [
    ...outputs.flatMap(({ name, argmaxAgreement: value, argmaxAgreementCi95: interval }) =>
      value === null ? [] : [{ name, value, interval }],
    ),
    ...texts.map(({ name, agreement: value, agreementCi95: interval }) => ({ name, value, interval })),
  ];
}

const accuracyHint = 'calibrate on more or more typical samples, or keep sensitive nodes float with --exclude';

/** What a task of --task found, of the output that is worst off. */
function taskScoreOf(task: Task, { id, unit, better }: Task['metrics'][number]): GateMetric {
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
