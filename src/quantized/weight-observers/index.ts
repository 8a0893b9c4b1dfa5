/** Every weight observer. To add one: write its file and list it here. */
import { quantizedErrors } from '../../errors/quantized.ts';
import { max } from './max.ts';
import { mse } from './mse.ts';
import type { WeightObserver } from './weight-observer.ts';

export const weightObservers: readonly WeightObserver[] = [max, mse];

/** @throws QUANT_WEIGHT_OBSERVER with the nearest id */
export function weightObserverOf(id: string): WeightObserver {
  const found = weightObservers.find((each) => each.id === id);
  if (!found)
    throw quantizedErrors.weightObserver(
      id,
      weightObservers.map((each) => each.id),
    );
  return found;
}
