/**
 * Error metrics: how far the numbers of an output moved, over all elements of all samples, summed in float64.
 * x: the output of the float model, y: that of the quantized one.
 *
 *   SQNR            10·log10(Σx² / Σ(x−y)²)   dB
 *   normalized L2   √(Σ(x−y)² / Σx²)
 *   cosine          Σxy / √(Σx²·Σy²)
 *   max-abs         max |x−y|
 *   mean-abs        mean |x−y|
 */
import type { OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

/** Sums the energy of the signal, Σx², and of the noise, Σ(x−y)²; the metric is a ratio of the two. */
class SignalAndNoise implements OutputAccumulator {
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

/** Signal to quantization noise ratio in dB. Equal outputs give Infinity; noise on an all-zero signal gives -Infinity. */
export const sqnr: OutputMetric = {
  id: 'sqnr',
  field: 'sqnrDb',
  unit: 'dB',
  better: 'higher',
  create: () => new SignalAndNoise((signal, noise) => (noise === 0 ? Infinity : 10 * Math.log10(signal / noise))),
};

/** Normalized L2 error. An all-zero signal gives 0 for equal outputs, else Infinity. */
export const normL2: OutputMetric = {
  id: 'norm-l2',
  field: 'normL2',
  unit: 'times the signal',
  better: 'lower',
  create: () => new SignalAndNoise((signal, noise) => (noise === 0 ? 0 : Math.sqrt(noise / signal))),
};

/**
 * Sums for the cosine similarity: all samples are one long vector, so that the value depends neither on the batch size nor on
 * samples whose output is zero. Two zero outputs give 1, one zero output gives 0.
 */
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

/** Cosine similarity of the whole output. */
export const cosine: OutputMetric = {
  id: 'cosine',
  field: 'cosine',
  unit: 'a cosine',
  better: 'higher',
  create: () => new Cosine(),
};

/** The largest |x−y| of any element of any sample, and the first sample that has it. */
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

/** Largest absolute error, in units of the output, and the first sample that has it. */
export const maxAbs: OutputMetric = {
  id: 'max-abs',
  field: 'maxAbs',
  unit: 'units of the output',
  better: 'lower',
  create: () => new MaxAbs(),
};

/** The mean of |x−y| over all elements of all samples. */
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

/** Mean absolute error, in units of the output. */
export const meanAbs: OutputMetric = {
  id: 'mean-abs',
  field: 'meanAbs',
  unit: 'units of the output',
  better: 'lower',
  create: () => new MeanAbs(),
};
