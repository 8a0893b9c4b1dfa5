/**
 * Signal to quantization noise ratio, 10·log10(Σx² / Σ(x−y)²) in dB, over all elements of all samples, in float64. Equal
 * outputs give Infinity; noise on an all-zero signal gives -Infinity.
 */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

class Sqnr implements OutputAccumulator {
  #signal = 0;
  #noise = 0;

  add({ float, quant }: PairedOutput): void {
    let signal = this.#signal;
    let noise = this.#noise;
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
    return this.#noise === 0 ? Infinity : 10 * Math.log10(this.#signal / this.#noise);
  }
}

export const sqnr: OutputMetric = {
  id: 'sqnr',
  field: 'sqnrDb',
  unit: 'dB',
  better: 'higher',
  create: () => new Sqnr(),
};
