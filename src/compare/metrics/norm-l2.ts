/** Normalized L2 error √(Σ(x−y)² / Σx²) over all elements of all samples; an all-zero signal gives 0 for equal outputs, else Infinity. */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

class NormL2 implements OutputAccumulator {
  #signal = 0;
  #noise = 0;

  add({ float, quant }: PairedOutput): void {
    let [signal, noise] = [this.#signal, this.#noise];
    for (let i = 0; i < float.length; i++) {
      const x = float[i]!;
      const error = x - quant[i]!;
      signal += x * x;
      noise += error * error;
    }
    this.#signal = signal;
    this.#noise = noise;
  }

  merge(other: this): void {
    this.#signal += other.#signal;
    this.#noise += other.#noise;
  }

  value(): number {
    return this.#noise === 0 ? 0 : Math.sqrt(this.#noise / this.#signal);
  }
}

export const normL2: OutputMetric = {
  id: 'norm-l2',
  field: 'normL2',
  unit: 'times the signal',
  better: 'lower',
  create: () => new NormL2(),
};
