/** A calibration in this process, as a stage needs it on its way to a plan's ranges: the observer of the flags over the samples. */
import { calibrate } from '../calibrate/calibrate.ts';
import type { CalibrationState } from '../calibrate/state.ts';
import type { DataFlags, ObserverFlags, RunFlags } from '../settings/options.ts';
import { observerSettings } from './observer.ts';
import { samplesProgress } from './progress.ts';
import type { Samples } from './samples.ts';
import type { FusedSource } from './source.ts';

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
