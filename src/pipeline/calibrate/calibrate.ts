/**
 * Model + samples → calibration state file. The work goes to one or several workers, and what it came to so far is kept
 * beside the output, so that a run that was stopped goes on where it was. Neither changes a byte of the result.
 */
import { cpuInfo } from '../../backends/cpu.ts';
import { targetOf, targets } from '../../backends/targets/index.ts';
import type { Target } from '../../backends/targets/target.ts';
import { confirmConstants, healthOf } from '../../calibrate/health-findings.ts';
import { observerOf } from '../../calibrate/observers/index.ts';
import { notesOf, stateSchema, writeState, type CalibrationState } from '../../calibrate/state.ts';
import { keyOf, readCheckpoint, removeCheckpoint, withPlaces, writeCheckpoint } from '../../calibrate/checkpoint.ts';
import type { Shard } from '../../data/selection.ts';
import { mergeSkipped } from '../../data/skip-bad.ts';
import { calibrateErrors } from '../../errors/calibrate.ts';
import { dataErrors } from '../../errors/data.ts';
import { mergeErrors } from '../../errors/merge.ts';
import type { Model } from '../../graph/model.ts';
import type { CalibrateOptions } from '../../settings/options.ts';
import type { CalibrateResult } from '../results.ts';
import { lock } from '../../onnx/lock.ts';
import { observedTensors } from '../../quantizable/plan.ts';
import { planQuantization } from '../../quantizable/planner.ts';
import { newestOpset } from '../../opset/versions.ts';
import { version } from '../../process/version.ts';
import { observeAll } from './observe-all.ts';
import { observerSettings } from './ranges.ts';
import { checkPlaces } from '../places.ts';
import { calibrationSamples, type Samples } from '../samples/samples.ts';
import { inputsOf, openFused, sourceNotes } from '../source/source.ts';
import { opsetsFor } from '../source/upgrade.ts';

/** Per-channel schemes need it. An upgrade keeps the names of tensors, so the state serves the others as well. */
const anyScheme = 13;

const everything: Shard = { index: 1, count: 1 };

export async function calibrateModel(asked: CalibrateOptions): Promise<CalibrateResult> {
  const options = inOrder(asked);
  checkPlaces(options);
  const free = lock(`${options.output}.partial`);
  try {
    return await calibrateInto(options);
  } finally {
    free();
  }
}

async function calibrateInto(options: CalibrateOptions): Promise<CalibrateResult> {
  observerSettings(options);
  const { file, model, upgrade, widened, batch } = await openFused(
    options.model,
    options,
    opsetsFor(options.opset, anyScheme, newestOpset),
  );
  const { warnings: cautions, ...samples } = await calibrationSamples(options, inputsOf(model));
  const { shard = everything } = options;
  const chosen = 'from' in samples.selection ? undefined : samples.selection.length;
  if (chosen !== undefined) checkShards(shard, chosen);
  const warnings = [...sourceNotes({ upgrade, widened, batch }), ...cautions];
  const common = { modelSha256: file.sha256(), tensors: tensorsOfAnyPlan(model), shard };
  const unfinished = `${options.output}.partial`;
  const key = keyOf({ ...commandOf(options, samples), ...common });
  const observer = observerOf(options.observer);
  const found = readCheckpoint(unfinished, key, observer, common.tensors.length);
  if (found === 'foreign') warnings.push(`${unfinished} is not of this command: starting anew, it is written over`);
  const before = found === 'foreign' ? undefined : found;
  const done = before === undefined ? 0 : before.taken.reduce((sum, taken) => sum + taken, 0);
  if (done > 0) warnings.push(`going on after ${done} samples of a run that was stopped`);
  for (const warning of warnings) options.onWarning?.(warning);

  const share = { ...common, taken: before?.taken ?? new Uint8Array(0) };
  const merge = (states: readonly CalibrationState['arrays'][]): CalibrationState['arrays'] =>
    [...(before ? [before.arrays] : []), ...states].reduce((a, b) => observer.merge(a, b));
  const total = chosen === undefined ? {} : { total: Math.ceil((chosen - shard.index + 1) / shard.count) };
  const observed = await observeAll(model, samples, share, options, model.opset, {
    onProgress: (count) =>
      options.onProgress?.({ stage: 'calibrating', done: done + count, ...total, unit: 'samples' }),
    onState: (places, arrays) =>
      writeCheckpoint(unfinished, key, { taken: withPlaces(share.taken, places), arrays: merge(arrays) }),
  });
  const states = observed.map(({ state }) => state).filter((state) => state !== undefined);
  if (states.length === 0) throw calibrateErrors.noSamples(samples.dataset.source);
  const { whole, share: own } = observed[0]!.tally;
  checkShards(shard, whole.samples);
  const { index, count } = shard;
  const skipped = states.map((each) => each.skipped).reduce(mergeSkipped);
  const state: CalibrationState = {
    ...states[0]!,
    samples: done + states.reduce((sum, each) => sum + each.samples, 0),
    idsHash: whole.idsHash,
    ...(options.shard ? { shards: { count, parts: [{ index, ...own }] } } : {}),
    notes: [...new Set(states.flatMap(({ notes }) => notes))],
    ...(skipped && { skipped }),
    arrays: merge(states.map(({ arrays }) => arrays)),
  };
  writeState(options.output, state);
  removeCheckpoint(unfinished);
  const notes = notesOf(state);
  for (const note of notes) options.onWarning?.(note);
  warnings.push(...notes);
  const { dataset, selection } = samples;
  const told = healthOf(state.tensors, state.arrays, state.samples);
  const health = await confirmConstants(told, model, dataset, selection, { threads: options.threads });
  return {
    outputPath: options.output,
    samples: state.samples,
    tensors: state.tensors.length,
    ...(health && { health }),
    warnings,
  };
}

/**
 * All that the result may depend on, so far as it is known before the samples are read. What is left out is known to change
 * nothing: an option yet to come is in.
 */
function commandOf(
  { output: _output, command: _command, threads, workers, saveEvery, onProgress, onWarning, ...rest }: CalibrateOptions,
  { dataset, selection }: Samples,
): Record<string, unknown> {
  // Where settings were read from is none of them.
  const { config: _config, ...own } = rest as typeof rest & { readonly config?: string };
  return { ...own, version, state: stateSchema, preprocess: dataset.preprocess, ids: dataset.idsHash(selection) };
}

/** State that is carried from sample to sample leaves nothing to share out, nor a place to go on from. */
function inOrder(options: CalibrateOptions): CalibrateOptions {
  if (!options.carry?.length) return options;
  if (options.shard) throw dataErrors.carryShard();
  return { ...options, workers: 1, saveEvery: Infinity };
}

/** Every shard has a sample, or the shards could never be merged: some of them would not exist. */
function checkShards({ count }: Shard, samples: number): void {
  if (samples < count) throw mergeErrors.shardTooMany(count, samples);
}

/** A state file serves every target and every list of operators: what any of these plans observes is observed. */
export function tensorsOfAnyPlan(model: Model): string[] {
  const machine = targetOf(cpuInfo());
  const unreserved: Target = { ...machine, preferFloat: {} };
  const names = new Set<string>();
  for (const target of [...targets, unreserved]) {
    if (!target.formats.includes('qdq')) continue;
    for (const name of observedTensors(planQuantization(model, { target, scheme: target.scheme }))) names.add(name);
  }
  return [...names];
}
