/** From the counters of the rooms to the progress that callers see. */
import type { RunFlags } from '../settings/options.ts';

/** Reports samples of a stage; a stream has no total. */
export function samplesProgress(
  { onProgress }: Pick<RunFlags, 'onProgress'>,
  stage: string,
): (done: number, total: number | undefined) => void {
  return (done, total) => onProgress?.({ stage, done, ...(total === undefined ? {} : { total }), unit: 'samples' });
}
