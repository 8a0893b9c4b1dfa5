/**
 * Cosine similarity Σxy / √(Σx²·Σy²) of the whole output: all samples are one long vector, so that the value depends neither
 * on the batch size nor on samples whose output is zero. Two zero outputs give 1, one zero output gives 0.
 */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

class Cosine implements OutputAccumulator {
  #xx = 0;
  #yy = 0;
  #xy = 0;

  add({ float, quant }: PairedOutput): void {
    let [xx, yy, xy] = [this.#xx, this.#yy, this.#xy];
    for (let i = 0; i < float.length; i++) {
      const x = float[i]!;
      const y = quant[i]!;
      xx += x * x;
      yy += y * y;
      xy += x * y;
    }
    this.#xx = xx;
    this.#yy = yy;
    this.#xy = xy;
  }

  merge(other: this): void {
    this.#xx += other.#xx;
    this.#yy += other.#yy;
    this.#xy += other.#xy;
  }

  value(): number {
    if (this.#xx === 0 || this.#yy === 0) return this.#xx === this.#yy ? 1 : 0;
    // Two roots, because the product of the squares may overflow; rounding must not leave [-1, 1].
    const cosine = this.#xy / (Math.sqrt(this.#xx) * Math.sqrt(this.#yy));
    return Math.max(-1, Math.min(1, cosine));
  }
}

export const cosine: OutputMetric = {
  id: 'cosine',
  field: 'cosine',
  unit: 'a cosine',
  better: 'higher',
  create: () => new Cosine(),
};
