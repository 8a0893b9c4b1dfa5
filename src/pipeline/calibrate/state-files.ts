/** Calibration states and tables of other tools: written from a state, read in place of one. */
import { mergeStates, missingShards } from '../../calibrate/merge.ts';
import { readState, writeState, rangesOf, type CalibrationState } from '../../calibrate/state.ts';
import type { MergeOptions, ExportOptions } from '../../settings/options.ts';
import type { MergeResult, ExportResult } from '../results.ts';
import { checkPlaces } from '../places.ts';
import { readFileSync } from 'node:fs';
import { isNonnegative } from '../../calibrate/probes.ts';
import { activationFinder } from '../../calibrate/graph-outputs.ts';
import { tableFormatOf, tableFormats, type TableFormat } from '../../calibrate/tables.ts';
import { tableErrors } from '../../errors/calibrate.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { writeWhole } from '../../onnx/pending-file.ts';

/** @throws QdqError: a file that is no state, a place that cannot be written */
export function exportCalibration({ state: path, as, output }: ExportOptions): ExportResult {
  checkPlaces({ state: path, output });
  const ranges = rangesOf(readState(path));
  const text = tableFormats.find(({ id }) => id === as)!.encode(ranges);
  writeWhole(output, new TextEncoder().encode(text));
  return { outputPath: output, tensors: ranges.size };
}

/**
 * The state in a file, or one made of a table that stands there.
 * @param model fused
 * @param tensors whose ranges are wanted
 */
export function readStateOrTable(
  path: string,
  modelSha256: string,
  model: Model,
  tensors: readonly string[],
): CalibrationState {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    // Said by the reader of states.
    return readState(path, modelSha256);
  }
  const format = tableFormatOf(bytes);
  return format ? stateOf(format, bytes, path, modelSha256, model, tensors) : readState(path, modelSha256);
}

function stateOf(
  format: TableFormat,
  bytes: Uint8Array,
  path: string,
  modelSha256: string,
  model: Model,
  tensors: readonly string[],
): CalibrationState {
  const { method, ranges, symmetric } = format.decode(new TextDecoder().decode(bytes), path);
  const missing = tensors.filter((tensor) => !ranges.has(tensor));
  if (missing.length === tensors.length) throw tableErrors.noneFits(path, tensors, [...ranges.keys()]);
  const find = activationFinder(model);
  const signs = new Map<Value, boolean>();
  const min = Float32Array.from(tensors, (tensor) =>
    symmetric && isNonnegative(find(tensor), signs) ? 0 : Math.min(0, ranges.get(tensor)?.min ?? 0),
  );
  const named = missing.slice(0, 3).map((tensor) => `'${tensor}'`);
  const lost = `${path} has no range for ${missing.length} of ${tensors.length} tensors, and what reads or writes them stays float: ${named.join(', ')}${missing.length > 3 ? ', ...' : ''}`;
  return {
    modelSha256,
    tensors,
    observer: 'minmax',
    observerOptions: {},
    source: path,
    format: format.id,
    synthetic: false,
    preprocess: undefined,
    samples: 0,
    idsHash: '',
    notes: [`ranges of ${format.name} (${method})`, ...(missing.length > 0 ? [lost] : [])],
    arrays: { min, max: Float32Array.from(tensors, (tensor) => Math.max(0, ranges.get(tensor)?.max ?? 0)) },
  };
}

/** State files of shards → the state file of the whole. @throws QdqError: no state, or not of one calibration; nothing is written then */
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
