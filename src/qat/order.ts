/**
 * Which samples make up which batch: a pure function of seed, epoch and place, so that a run that was stopped goes on with the
 * very samples that were next, whatever the number of workers.
 */
import { random } from '../data/random.ts';

/** Far from the streams that choose samples. */
const shuffleStream = 2 ** 32;

/** A permutation of 0 … count - 1. */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const generator = random(seed, shuffleStream + epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = generator.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Whole batches of one epoch; what is left over waits for another shuffle. */
export function batchesPerEpoch(count: number, batch: number): number {
  return Math.floor(count / batch);
}
