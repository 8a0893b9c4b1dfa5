/** Top-k accuracy, paired: a sample is right when its label is among the k highest scores of [samples, classes]. */
import type { PairedCounts, PairedOutput, TaskAccumulator } from './metric.ts';
import { rankOf } from './rank.ts';

export class TopK implements TaskAccumulator {
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
