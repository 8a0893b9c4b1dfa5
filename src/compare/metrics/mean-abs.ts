/** The mean of |x−y| over all elements of all samples. */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

class MeanAbs implements OutputAccumulator {
  #sum = 0;
  #count = 0;

  add({ float, quant }: PairedOutput): void {
    let sum = this.#sum;
    for (let i = 0; i < float.length; i++) sum += Math.abs(float[i]! - quant[i]!);
    this.#sum = sum;
    this.#count += float.length;
  }

  merge(other: this): void {
    this.#sum += other.#sum;
    this.#count += other.#count;
  }

  value(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }
}

export const meanAbs: OutputMetric = {
  id: 'mean-abs',
  field: 'meanAbs',
  unit: 'units of the output',
  better: 'lower',
  create: () => new MeanAbs(),
};
