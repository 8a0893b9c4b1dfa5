/** Energy of the signal, Σx², and of the noise, Σ(x−y)², over all elements of all samples, in float64: what ratios of the two are made of. */
import type { OutputAccumulator, PairedOutput } from './metric.ts';

export class SignalAndNoise implements OutputAccumulator {
  #signal = 0;
  #noise = 0;
  readonly #ratio: (signal: number, noise: number) => number;

  constructor(ratio: (signal: number, noise: number) => number) {
    this.#ratio = ratio;
  }

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
    return this.#ratio(this.#signal, this.#noise);
  }
}
