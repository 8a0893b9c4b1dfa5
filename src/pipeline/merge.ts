/** State files of shards → the state file of the whole calibration. */
import { mergeStates, missingShards } from '../calibrate/merge.ts';
import { readState, writeState } from '../calibrate/state.ts';
import type { MergeOptions } from '../settings/options.ts';
import type { MergeResult } from './results.ts';
import { checkPlaces } from './places.ts';

/** @throws QdqError: a file that is no state, and what does not belong together; nothing is written then */
export function mergeCalibrations({ states, output, partial = false }: MergeOptions): MergeResult {
  checkPlaces({ states, output });
  const named = states.map((path) => ({ path, state: readState(path) }));
  const merged = mergeStates(named, { partial });
  writeState(output, merged);
  const { count } = named[0]!.state.shards!;
  return {
    outputPath: output,
    samples: merged.samples,
    tensors: merged.tensors.length,
    shards: count,
    missing: merged.shards ? missingShards(count, merged.shards.parts) : [],
  };
}
