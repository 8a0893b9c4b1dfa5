/**
 * Classification metrics: whether both models put the same class first (agreement), how far their class distributions are apart
 * (KL divergence), and, where samples have labels, whether each model finds the right class (top-1, top-5).
 * Classes are the last axis of an output of rank 2 ([samples, classes]) or 3 ([samples, tokens, vocabulary]); top-k takes rank 2 only.
 * Among equal scores the first counts as the larger.
 */
import type {
  TaskMetric,
  PairedCounts,
  PairedOutput,
  TaskAccumulator,
  Numbers,
  OutputAccumulator,
  OutputMetric,
} from './metric.ts';
import { wilsonInterval } from '../statistics.ts';

/** Index of the largest of `width` elements from `start` on, counted from `start`. */
export function argmax(values: Numbers, start: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

/** How many of the `width` elements come before element `index`; a score that is NaN comes last. */
function rankOf(values: Numbers, start: number, width: number, index: number): number {
  const score = values[start + index]!;
  if (Number.isNaN(score)) return width;
  let rank = 0;
  for (let i = 0; i < width; i++) {
    const other = values[start + i]!;
    if (other > score || (other === score && i < index)) rank++;
  }
  return rank;
}

/**
 * Counts the rows whose largest element stands at the same index in both models. A row has at least 2 elements. From rank 4 on the
 * shape does not tell which axis holds the classes, and the value is null. Needs no labels.
 */
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

/** Fraction of rows with the same most likely class. */
export const agreement: OutputMetric = {
  id: 'agreement',
  field: 'argmaxAgreement',
  unit: 'fraction',
  better: 'higher',
  ranks: true,
  create: () => new Agreement(),
};

/** A probability of 0 in q where p has some would be infinitely wrong; float32 softmax underflows to 0 long before that is true. */
const least = 1e-12;
/** How far the sum of a distribution may be from 1. */
const distribution = 1e-3;

/**
 * Mean Kullback-Leibler divergence Σ p·ln(p/q) in nats; p: class distribution of the float model, q: of the quantized one. A row that
 * is a distribution already (not negative, sum 1) is taken as it is, any other goes through softmax.
 */
class Kl implements OutputAccumulator {
  #sum = 0;
  #rows = 0;

  add({ dims, float, quant }: PairedOutput): void {
    const width = dims[dims.length - 1] ?? 1;
    if (dims.length < 2 || dims.length > 3 || width < 2) return;
    for (let start = 0; start < float.length; start += width) {
      // What the reference is decides for both: an int8 softmax need not sum to 1 exactly.
      const plain = isDistribution(float, start, width);
      const [p, q] = [logs(float, start, width, plain), logs(quant, start, width, plain)];
      let sum = 0;
      // What both rule out has no probability, and no logarithm to subtract.
      for (let i = 0; i < width; i++) if (p[i]! > -Infinity) sum += Math.exp(p[i]!) * (p[i]! - q[i]!);
      this.#sum += Math.max(0, sum);
      this.#rows++;
    }
  }

  merge(other: this): void {
    this.#sum += other.#sum;
    this.#rows += other.#rows;
  }

  value(): number | null {
    return this.#rows === 0 ? null : this.#sum / this.#rows;
  }
}

function isDistribution(values: Numbers, start: number, width: number): boolean {
  let sum = 0;
  for (let i = start; i < start + width; i++) {
    if (values[i]! < 0) return false;
    sum += values[i]!;
  }
  return Math.abs(sum - 1) < distribution;
}

/** Logarithms of probabilities that sum to 1. */
function logs(values: Numbers, start: number, width: number, plain: boolean): Float64Array {
  const out = new Float64Array(width);
  let most = -Infinity;
  for (let i = 0; i < width; i++) {
    out[i] = plain ? Math.log(Math.max(values[start + i]!, least)) : values[start + i]!;
    most = Math.max(most, out[i]!);
  }
  let sum = 0;
  if (!Number.isFinite(most)) return out.fill(0);
  for (let i = 0; i < width; i++) sum += Math.exp(out[i]! - most);
  const total = most + Math.log(sum);
  for (let i = 0; i < width; i++) out[i]! -= total;
  return out;
}

/** Mean Kullback-Leibler divergence. */
export const kl: OutputMetric = {
  id: 'kl',
  field: 'kl',
  unit: 'nats',
  better: 'lower',
  ranks: true,
  create: () => new Kl(),
};

/** Top-k accuracy, paired: a sample is right when its label is among the k highest scores of [samples, classes]. */
class TopK implements TaskAccumulator {
  readonly #k: number;
  #bothRight = 0;
  #onlyFloat = 0;
  #onlyQuant = 0;
  #bothWrong = 0;

  constructor(k: number) {
    this.#k = k;
  }

  add({ dims, float, quant, labels = [] }: PairedOutput): void {
    const classes = dims[1]!;
    labels.forEach((label, row) => {
      const floatRight = rankOf(float, row * classes, classes, label) < this.#k;
      const quantRight = rankOf(quant, row * classes, classes, label) < this.#k;
      if (floatRight && quantRight) this.#bothRight++;
      else if (floatRight) this.#onlyFloat++;
      else if (quantRight) this.#onlyQuant++;
      else this.#bothWrong++;
    });
  }

  merge(other: this): void {
    this.#bothRight += other.#bothRight;
    this.#onlyFloat += other.#onlyFloat;
    this.#onlyQuant += other.#onlyQuant;
    this.#bothWrong += other.#bothWrong;
  }

  value(): PairedCounts {
    return {
      bothRight: this.#bothRight,
      onlyFloat: this.#onlyFloat,
      onlyQuant: this.#onlyQuant,
      bothWrong: this.#bothWrong,
    };
  }
}

/** The fraction of samples whose label has the highest score. */
export const top1: TaskMetric = {
  id: 'top1',
  unit: 'fraction',
  better: 'higher',
  minimumClasses: 2,
  create: () => new TopK(1),
};

/** The fraction of samples whose label is among the five highest scores; from 10 classes on, below that it says little. */
export const top5: TaskMetric = {
  id: 'top5',
  unit: 'fraction',
  better: 'higher',
  minimumClasses: 10,
  create: () => new TopK(5),
};
