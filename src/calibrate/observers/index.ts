/** Every observer. To add one: write its file and list it here. */
import { calibrateErrors } from '../../errors/calibrate.ts';
import { withHealth } from '../health.ts';
import { average } from './average.ts';
import { entropy } from './entropy.ts';
import { histogramSearch } from './histogram-search.ts';
import { minmax } from './minmax.ts';
import { mse } from './mse.ts';
import type { Observer, ObserverOptions } from './observer.ts';
import { percentile } from './percentile.ts';

/** Every observer, in the order in which help lists them. */
export const observers: readonly Observer[] = [minmax, percentile, entropy, mse, histogramSearch, average];

const carrying = new Map(observers.map((observer) => [observer.id, withHealth(observer)]));

/**
 * The observer, with health in its state.
 * @throws CALIBRATE_OBSERVER with the nearest id
 */
export function observerOf(id: string): Observer {
  const observer = carrying.get(id);
  if (!observer)
    throw calibrateErrors.unknownObserver(
      id,
      observers.map((each) => each.id),
    );
  return observer;
}

/**
 * The options given, laid over the defaults.
 * @throws CALIBRATE_OBSERVER_OPTION for a key the observer does not have, CALIBRATE_OBSERVER_VALUE out of its limits
 */
export function observerOptions({ id, options }: Observer, given: ObserverOptions): ObserverOptions {
  for (const [key, value] of Object.entries(given)) {
    const option = options[key];
    if (!option) throw calibrateErrors.unknownOption(id, key, Object.keys(options));
    if (!(value >= option.min && value <= option.max)) throw calibrateErrors.optionValue(id, key, value, option);
  }
  return { ...Object.fromEntries(Object.entries(options).map(([key, option]) => [key, option.default])), ...given };
}
