/** The largest |x−y| of any element of any sample, and the first sample that has it. */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

class MaxAbs implements OutputAccumulator {
  #max = 0;
  #at: string | undefined;

  add({ ids, float, quant }: PairedOutput): void {
    let max = this.#max;
    let index = -1;
    for (let i = 0; i < float.length; i++) {
      const error = Math.abs(float[i]! - quant[i]!);
      if (error > max) {
        max = error;
        index = i;
      }
    }
    this.#max = max;
    if (index >= 0) this.#at = ids[Math.floor((index * ids.length) / float.length)];
  }

  merge(other: this): void {
    if (other.#max <= this.#max) return;
    this.#max = other.#max;
    this.#at = other.#at;
  }

  value(): number {
    return this.#max;
  }

  at(): string | undefined {
    return this.#at;
  }
}

export const maxAbs: OutputMetric = {
  id: 'max-abs',
  field: 'maxAbs',
  unit: 'units of the output',
  better: 'lower',
  create: () => new MaxAbs(),
};
