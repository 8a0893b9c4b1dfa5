/** Words of the command line → options of an observer. */
import { describe, expect, it } from 'vitest';
import { observerSettings } from '../../src/pipeline/observer.ts';
import type { ObserverFlags } from '../../src/settings/options.ts';

const settings = (observer: ObserverFlags['observer'], observerOption: readonly string[] = [], exact = false) =>
  observerSettings({ observer, observerOption, exact });

describe('observerSettings', () => {
  it('lays what is given over the defaults', () => {
    expect(settings('minmax')).toEqual({});
    expect(settings('percentile')).toEqual({ percentile: 99.99, exact: 0 });
    expect(settings('percentile', ['percentile=99.9'], true)).toEqual({ percentile: 99.9, exact: 1 });
    expect(settings('mse', [' p=2.4 '])).toEqual({ p: 2.4, bits: 8, clip: 1.75, exact: 0 });
  });

  it.each([
    ['percentile', ['99.9'], false, 'CALIBRATE_OBSERVER_SYNTAX'],
    ['percentile', ['percentile=lots'], false, 'CALIBRATE_OBSERVER_SYNTAX'],
    ['percentile', ['percentil=99'], false, 'CALIBRATE_OBSERVER_OPTION'],
    ['percentile', ['percentile=101'], false, 'CALIBRATE_OBSERVER_VALUE'],
    ['minmax', ['percentile=99'], false, 'CALIBRATE_OBSERVER_OPTION'],
    ['minmax', [], true, 'CALIBRATE_OBSERVER_OPTION'],
  ] as const)('refuses %s with %j, exact %s', (observer, words, exact, code) => {
    expect(() => settings(observer, words, exact)).toThrow(expect.objectContaining({ code }));
  });
});
