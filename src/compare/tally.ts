/** Accumulators of one output, batch after batch, and the rows of the report that they end in. */
import { compareErrors } from '../errors/compare.ts';
import { outputMetrics, taskMetrics } from './metrics/index.ts';
import type { PairedOutput, TaskMetric } from './metrics/metric.ts';
import { firstNonFinite } from './numbers.ts';
import type { OutputRow, TaskRow } from './report.ts';
import { mcnemarExact, pairedInterval } from './statistics.ts';

/** How far one output moved. */
export class OutputTally {
  readonly #name: string;
  readonly #type: string;
  readonly #accumulators = outputMetrics.map((metric) => ({ metric, accumulator: metric.create() }));
  #nonFinite = 0;

  constructor(name: string, type: string) {
    this.#name = name;
    this.#type = type;
  }

  /** @throws COMPARE_NOT_FINITE when the reference itself is not finite */
  add(output: PairedOutput): void {
    const { ids, float, quant } = output;
    const bad = firstNonFinite(float);
    if (bad >= 0) throw compareErrors.notFinite(this.#name, ids[Math.floor((bad * ids.length) / float.length)]!);
    for (let i = firstNonFinite(quant); i >= 0; i = firstNonFinite(quant, i + 1)) this.#nonFinite++;
    if (this.#nonFinite === 0) for (const { accumulator } of this.#accumulators) accumulator.add(output);
  }

  row(): OutputRow {
    const fields = this.#accumulators.flatMap(({ metric, accumulator }) => {
      const worst = metric.better === 'higher' ? -Infinity : Infinity;
      const value = this.#nonFinite > 0 ? worst : accumulator.value();
      const at = this.#nonFinite > 0 ? undefined : accumulator.at?.();
      return [[metric.field, value] as const, ...(at === undefined ? [] : [[`${metric.field}At`, at] as const])];
    });
    return {
      name: this.#name,
      type: this.#type,
      nonFinite: this.#nonFinite,
      ...Object.fromEntries(fields),
    } as OutputRow;
  }
}

/** How well both models do the task, judged on one output of shape [samples, classes]. */
export class TaskTally {
  readonly output: string;
  readonly #classes: number;
  readonly #accumulators: { readonly metric: TaskMetric; readonly accumulator: ReturnType<TaskMetric['create']> }[];

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
