/**
 * Accumulators of one output, batch after batch, and the rows of the report that they end in: how far its numbers moved, how well it does
 * the task (by labels), and whether its texts are equal.
 */
import { textsOf } from '../onnx/strings.ts';
import {
  type PairedOutput,
  type Numbers,
  type TaskAccumulator,
  type TaskMetric,
  firstNonFinite,
  withoutEqualInfinities,
} from './metrics/metric.ts';
import type { OutputRow, TextRow, ClassRow, Confusion, TaskRow } from './report.ts';
import { wilsonInterval, mcnemarExact, pairedInterval } from './statistics.ts';
import { compareErrors } from '../errors/compare.ts';
import { outputMetrics, taskMetrics } from './metrics/index.ts';
import { argmax, top1 } from './metrics/classification-metrics.ts';

/** Measures how far one output moved. */
export class OutputTally {
  readonly #name: string;
  readonly #type: string;
  readonly #accumulators = outputMetrics.map((metric) => ({ metric, accumulator: metric.create() }));
  #nonFinite = 0;

  constructor(name: string, type: string) {
    this.#name = name;
    this.#type = type;
  }

  /**
   * Infinities of the reference are meant: where both models have the same there is no error, elsewhere it is one.
   * @throws COMPARE_NOT_FINITE when the reference holds NaN
   */
  add(output: PairedOutput): void {
    const { ids } = output;
    const [float, quant] = withoutEqualInfinities(output.float, output.quant);
    for (let i = firstNonFinite(float); i >= 0; i = firstNonFinite(float, i + 1)) {
      if (Number.isNaN(float[i]))
        throw compareErrors.notFinite(this.#name, ids[Math.floor((i * ids.length) / float.length)]!);
      if (Number.isFinite(quant[i])) this.#nonFinite++;
    }
    for (let i = firstNonFinite(quant); i >= 0; i = firstNonFinite(quant, i + 1)) this.#nonFinite++;
    if (this.#nonFinite > 0) return;
    const finite = { ...output, float, quant };
    for (const { metric, accumulator } of this.#accumulators) accumulator.add(metric.ranks ? output : finite);
  }

  row(): OutputRow {
    const fields = this.#accumulators.flatMap(({ metric, accumulator }) => {
      const worst = metric.better === 'higher' ? -Infinity : Infinity;
      const value = this.#nonFinite > 0 ? worst : accumulator.value();
      const at = this.#nonFinite > 0 ? undefined : accumulator.at?.();
      const interval = this.#nonFinite > 0 ? undefined : accumulator.interval?.();
      return [
        [metric.field, value] as const,
        ...(at === undefined ? [] : [[`${metric.field}At`, at] as const]),
        ...(interval === undefined ? [] : [[`${metric.field}Ci95`, interval] as const]),
      ];
    });
    return {
      name: this.#name,
      type: this.#type,
      nonFinite: this.#nonFinite,
      ...Object.fromEntries(fields),
    } as OutputRow;
  }
}

/** Pairs of classes in the report: the most frequent ones. */
const mostPairs = 100;

/** Measures how well both models do the task, judged on one output of shape [samples, classes]. */
export class TaskTally {
  readonly output: string;
  readonly #classes: number;
  readonly #accumulators: { readonly metric: TaskMetric; readonly accumulator: ReturnType<TaskMetric['create']> }[];

  readonly #byClass = new Map<number, TaskAccumulator>();
  readonly #pairs = new Map<number, number>();
  #agreed = 0;

  constructor(output: string, classes: number) {
    this.output = output;
    this.#classes = classes;
    this.#accumulators = taskMetrics
      .filter(({ minimumClasses }) => classes >= minimumClasses)
      .map((metric) => ({ metric, accumulator: metric.create() }));
  }

  /** @throws COMPARE_LABEL for a label that is not a class of the output */
  add(output: PairedOutput): void {
    output.labels?.forEach((label, row) => {
      if (!(label >= 0 && label < this.#classes)) {
        throw compareErrors.label(output.ids[row]!, label, this.#classes, this.output);
      }
    });
    for (const { accumulator } of this.#accumulators) accumulator.add(output);
    const { ids, float, quant, labels } = output;
    ids.forEach((_, row) => {
      const start = row * this.#classes;
      const [a, b] = [argmax(float, start, this.#classes), argmax(quant, start, this.#classes)];
      if (a === b) this.#agreed++;
      else this.#pairs.set(a * this.#classes + b, (this.#pairs.get(a * this.#classes + b) ?? 0) + 1);
      const label = labels?.[row];
      if (label === undefined) return;
      if (!this.#byClass.has(label)) this.#byClass.set(label, top1.create());
      const part = (values: Numbers): Numbers => values.subarray(start, start + this.#classes);
      const sample = { ids: [''], dims: [1, this.#classes], float: part(float), quant: part(quant), labels: [label] };
      this.#byClass.get(label)!.add(sample);
    });
  }

  /** Top-1 by class, worst change first. */
  classes(): ClassRow[] {
    const rows = [...this.#byClass].map(([label, accumulator]) => {
      const paired = accumulator.value();
      const n = paired.bothRight + paired.onlyFloat + paired.onlyQuant + paired.bothWrong;
      return {
        ...{ label, n },
        float: (paired.bothRight + paired.onlyFloat) / n,
        quant: (paired.bothRight + paired.onlyQuant) / n,
        delta: (paired.onlyQuant - paired.onlyFloat) / n,
        ci95: pairedInterval(paired),
      };
    });
    return rows.sort((a, b) => a.delta - b.delta || a.label - b.label);
  }

  confusion(): Confusion {
    const pairs = [...this.#pairs].map(([key, n]) => ({
      ...{ float: Math.floor(key / this.#classes), quant: key % this.#classes, n },
    }));
    pairs.sort((a, b) => b.n - a.n || a.float - b.float || a.quant - b.quant);
    return { output: this.output, classes: this.#classes, agreed: this.#agreed, pairs: pairs.slice(0, mostPairs) };
  }

  /** One row per metric; none when no sample had a label. */
  rows(): TaskRow[] {
    return this.#accumulators.flatMap(({ metric, accumulator }) => {
      const paired = accumulator.value();
      const n = paired.bothRight + paired.onlyFloat + paired.onlyQuant + paired.bothWrong;
      if (n === 0) return [];
      return {
        metric: metric.id,
        output: this.output,
        unit: metric.unit,
        better: metric.better,
        n,
        float: (paired.bothRight + paired.onlyFloat) / n,
        quant: (paired.bothRight + paired.onlyQuant) / n,
        delta: (paired.onlyQuant - paired.onlyFloat) / n,
        ci95: pairedInterval(paired),
        paired,
        p: mcnemarExact(paired.onlyFloat, paired.onlyQuant),
      };
    });
  }
}

/** Differences that the report names. */
const mostDifferences = 3;

/**
 * Compares an output of texts: the names of classes, say. Texts are equal or they are not, so that the share of equal ones is all that can
 * be measured; the first that differ are kept, because a share does not tell which class became which. Elements are numbers of the table of
 * texts (`onnx/strings.ts`).
 */
export class TextTally {
  readonly #name: string;
  readonly #differ: TextRow['differ'] = [];
  #n = 0;
  #equal = 0;
  #samples = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add({ ids, float, quant }: Pick<PairedOutput, 'ids' | 'float' | 'quant'>): void {
    this.#n += float.length;
    this.#samples += ids.length;
    for (let i = 0; i < float.length; i++) {
      if (float[i] === quant[i]) {
        this.#equal++;
      } else if (this.#differ.length < mostDifferences) {
        const [before, after] = textsOf([float[i]!, quant[i]!]) as [string, string];
        this.#differ.push({ sample: ids[Math.floor((i * ids.length) / float.length)]!, float: before, quant: after });
      }
    }
  }

  row(): TextRow {
    const share = this.#n === 0 ? 1 : this.#equal / this.#n;
    return {
      name: this.#name,
      n: this.#n,
      agreement: share,
      // Of trials as many as samples: the texts of one sample are no independent ones.
      ...(this.#n > 0 && { agreementCi95: wilsonInterval(share, this.#samples) }),
      differ: this.#differ,
    };
  }
}
