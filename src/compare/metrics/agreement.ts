/**
 * The fraction of rows whose largest element stands at the same index in both models, the first of equals. A row is the last
 * axis of an output of rank 2 ([samples, classes]) or 3 ([samples, tokens, vocabulary]) with at least 2 elements. From rank 4
 * on the shape does not tell which axis holds the classes, and the value is null. Needs no labels.
 */
import { wilsonInterval } from '../statistics.ts';
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';
import { argmax } from './rank.ts';

class Agreement implements OutputAccumulator {
  #equal = 0;
  #rows = 0;
  #samples = 0;

  add({ dims, float, quant }: PairedOutput): void {
    const width = dims[dims.length - 1] ?? 1;
    if (dims.length < 2 || dims.length > 3 || width < 2) return;
    this.#samples += dims[0]!;
    for (let start = 0; start < float.length; start += width) {
      if (argmax(float, start, width) === argmax(quant, start, width)) this.#equal++;
      this.#rows++;
    }
  }

  merge(other: this): void {
    this.#equal += other.#equal;
    this.#rows += other.#rows;
    this.#samples += other.#samples;
  }

  value(): number | null {
    return this.#rows === 0 ? null : this.#equal / this.#rows;
  }

  /** Of trials as many as samples: the tokens of a text are no independent ones. */
  interval(): [number, number] | undefined {
    return this.#rows === 0 ? undefined : wilsonInterval(this.#equal / this.#rows, this.#samples);
  }
}

export const agreement: OutputMetric = {
  id: 'agreement',
  field: 'argmaxAgreement',
  unit: 'fraction',
  better: 'higher',
  ranks: true,
  create: () => new Agreement(),
};
