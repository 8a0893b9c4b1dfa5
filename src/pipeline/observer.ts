/** The observer and its options, from the words of a command line or recipe. */
import { observerOf, observerOptions } from '../calibrate/observers/index.ts';
import type { ObserverOptions } from '../calibrate/observers/observer.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import type { ObserverFlags } from '../settings/options.ts';

/**
 * Every option of the observer, with its value.
 * @throws CALIBRATE_OBSERVER, CALIBRATE_OBSERVER_SYNTAX, CALIBRATE_OBSERVER_OPTION, CALIBRATE_OBSERVER_VALUE
 */
export function observerSettings({ observer, observerOption, exact }: ObserverFlags): ObserverOptions {
  const given = observerOption.map((text): [string, number] => {
    const [, key, value] = /^([\w-]+)=([+-]?\d+(?:\.\d+)?)$/.exec(text.trim()) ?? [];
    if (key === undefined) throw calibrateErrors.optionSyntax(text);
    return [key, Number(value)];
  });
  return observerOptions(observerOf(observer), { ...Object.fromEntries(given), ...(exact ? { exact: 1 } : {}) });
}
