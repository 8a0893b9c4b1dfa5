/** Every observer. To add one: write its file and list it here. */
import { calibrateErrors } from '../../errors/calibrate.ts';
import { minmax } from './minmax.ts';
import type { Observer, ObserverOptions } from './observer.ts';

export const observers: readonly Observer[] = [minmax];

/** @throws CALIBRATE_OBSERVER with the nearest id */
export function observerOf(id: string): Observer {
  const observer = observers.find((each) => each.id === id);
  if (!observer)
    throw calibrateErrors.unknownObserver(
      id,
      observers.map((each) => each.id),
    );
  return observer;
}

/** The options given, laid over the defaults. @throws CALIBRATE_OBSERVER_OPTION for a key the observer does not have */
export function observerOptions(observer: Observer, given: ObserverOptions): ObserverOptions {
  const known = Object.keys(observer.options);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined) throw calibrateErrors.unknownOption(observer.id, unknown, known);
  return { ...observer.options, ...given };
}
