/** From flags and samples to the ranges of a plan: the observer, a calibration in this process, a range for each quantizer. */
import { rangesOf, type CalibrationState } from '../../calibrate/state.ts';
import type { Ranges } from '../../calibrate/ranges.ts';
import {
  activationScheme,
  plannedTensors,
  quantizerKey,
  type ActivationScheme,
  type Plan,
} from '../../quantizable/plan.ts';
import { calibrate } from '../../calibrate/calibrate.ts';
import type { DataFlags, ObserverFlags, RunFlags } from '../../settings/options.ts';
import { samplesProgress } from '../compare/report.ts';
import type { Samples } from '../samples/samples.ts';
import type { FusedSource } from '../source/source.ts';
import { observerOf, observerOptions } from '../../calibrate/observers/index.ts';
import type { ObserverOptions } from '../../calibrate/observers/observer.ts';
import { calibrateErrors } from '../../errors/calibrate.ts';

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

/** Calibrates in this process, with the observer of the flags. */
export function observeTensors(
  options: ObserverFlags & Pick<DataFlags, 'batch'> & RunFlags,
  { file, model }: Pick<FusedSource, 'file' | 'model'>,
  tensors: readonly string[],
  { dataset, selection }: Samples,
): Promise<CalibrationState> {
  return calibrate(model, tensors, dataset, selection, {
    modelSha256: file.sha256(),
    observer: options.observer,
    observerOptions: observerSettings(options),
    threads: options.threads,
    ...(options.batch === undefined ? {} : { batchSize: options.batch }),
    onProgress: samplesProgress(options, 'calibrating'),
  });
}

/**
 * Ranges for the quantizers of a plan: what is worth clipping depends on the number of codes (observer mse). By tensor, and by quantizerKey
 * for tensors that are quantized a second time.
 * @param fixed ranges that take the place of observed ones
 */
export function plannedRanges(state: CalibrationState, plan: Plan, fixed: Ranges = new Map()): Ranges {
  const usual = rangesOf(state);
  const made = new Map<string, Ranges>();
  const rangesFor = ({ type }: ActivationScheme): Ranges => {
    const bits = type.replace(/\D/g, '');
    if (bits === '8') return usual;
    if (!made.has(bits)) made.set(bits, rangesOf(state, Number(bits)));
    return made.get(bits)!;
  };
  const all = new Map(usual);
  for (const tensor of plannedTensors(plan)) {
    const { name, conversions = [] } = tensor;
    const own = fixed.get(name) ?? rangesFor(activationScheme(plan, tensor)).get(name);
    if (own) all.set(name, own);
    for (const as of conversions) {
      const range = fixed.get(name) ?? rangesFor(as).get(name);
      if (range) all.set(quantizerKey({ tensor: name, as }), range);
    }
  }
  return all;
}
