/**
 * Mean Kullback-Leibler divergence Σ p·ln(p/q) of the class distributions, in nats, for outputs of rank 2 or 3 with the classes on
 * the last axis. A row that is a distribution already (not negative, sum 1) is taken as it is, any other goes through softmax.
 */
import type { Numbers, OutputAccumulator, OutputMetric, PairedOutput } from './metric.ts';

/** A probability of 0 in q where p has some would be infinitely wrong; float32 softmax underflows to 0 long before that is true. */
const least = 1e-12;
const distribution = 1e-3;

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

export const kl: OutputMetric = {
  id: 'kl',
  field: 'kl',
  unit: 'nats',
  better: 'lower',
  ranks: true,
  create: () => new Kl(),
};
