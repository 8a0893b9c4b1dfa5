/** Which samples calibrate and which judge. `--eval` names the judges; without it they are what `--data` leaves over. */
import type { Session } from '../../backends/session.ts';
import { feedsOfOne } from '../../data/batch.ts';
import { fixInputs, withFixed } from '../../data/fixed-inputs.ts';
import { batchAxesOf } from '../../data/model-inputs.ts';
import { openData } from '../../data/open.ts';
import { isAssumed } from '../../data/image-preprocess.ts';
import type { Dataset, InputInfo, Selection } from '../../data/sample.ts';
import { choose, chooseSequences, type Choice } from '../../data/selection.ts';
import type { DataFlags } from '../../settings/options.ts';

/** Enough for min/max ranges of image models to settle. */
export const usualCalibration = 100;
/** What the report looks at when nobody names its samples: a few seconds' worth, drawn with the same seed. */
export const usualEvaluation = 500;

const sameSamples =
  'every sample was used to calibrate, so the report judges the same samples: give --eval, or fewer --samples';

export interface Samples {
  readonly dataset: Dataset;
  readonly selection: Selection;
}

export interface SamplePlan {
  readonly calibration: Samples;
  readonly evaluation: Samples;
  readonly warnings: readonly string[];
}

export async function openFlags(flags: DataFlags, inputs: readonly InputInfo[]): Promise<Dataset> {
  const fixed = fixInputs(flags.input ?? [], flags.carry ?? [], inputs);
  const dataset = await openData(
    {
      ...(flags.data === undefined ? {} : { path: flags.data }),
      ...(flags.reader === undefined ? {} : { reader: flags.reader }),
      ...(flags.preprocess === undefined ? {} : { preprocess: flags.preprocess }),
      ...(flags.samples === undefined ? {} : { count: flags.samples * 2 }),
      seed: flags.seed,
      skipBad: flags.skipBad ?? false,
    },
    fixed.rest,
  );
  return { ...withFixed(dataset, fixed), batchAxes: batchAxesOf(inputs) };
}

/** Samples at random or, where they must be run in order, whole sequences. */
export function draw({ count, carry, sequences }: Dataset, samples: number, seed: number): Choice {
  if (!carry || count === undefined) return choose(count, samples, seed);
  return chooseSequences(sequences ?? [count], samples, seed);
}

/** For stages that only calibrate. */
export async function calibrationSamples(
  flags: DataFlags,
  inputs: readonly InputInfo[],
): Promise<Samples & { warnings: string[] }> {
  const dataset = await openFlags(flags, inputs);
  const { chosen, note } = draw(dataset, flags.samples ?? usualCalibration, flags.seed);
  return {
    dataset,
    selection: chosen,
    warnings: [...cautions(dataset), ...(note === undefined ? [] : [note])],
  };
}

/** For the whole pipeline: calibration and evaluation samples that do not overlap, unless there is only one to go round. */
export async function splitSamples(flags: DataFlags, inputs: readonly InputInfo[]): Promise<SamplePlan> {
  const dataset = await openFlags(flags, inputs);
  const warnings = cautions(dataset);
  const wanted = flags.samples ?? (flags.eval === undefined ? atMostHalf(dataset.count) : usualCalibration);
  const { chosen, rest, note } = draw(dataset, wanted, flags.seed);
  if (note !== undefined) warnings.push(note);
  const calibration = { dataset, selection: chosen };
  if (flags.eval !== undefined)
    return { calibration, evaluation: await everySample(flags, flags.eval, inputs), warnings };
  if ('from' in rest) {
    return {
      calibration,
      evaluation: { dataset, selection: { from: rest.from, to: rest.from + usualEvaluation } },
      warnings,
    };
  }
  if (rest.length === 0) {
    warnings.push(sameSamples);
    return { calibration, evaluation: calibration, warnings };
  }
  if (dataset.carry)
    return { calibration, evaluation: { dataset, selection: rest.slice(0, usualEvaluation) }, warnings };
  const { chosen: judged } = choose(rest.length, Math.min(usualEvaluation, rest.length), flags.seed);
  return {
    calibration,
    evaluation: { dataset, selection: (judged as readonly number[]).map((index) => rest[index]!) },
    warnings,
  };
}

/** One generated sample, where the model is neither calibrated nor judged and is only to be run once. */
export async function anySample(flags: DataFlags, inputs: readonly InputInfo[]): Promise<SamplePlan> {
  const dataset = await openFlags({ ...flags, data: 'random', samples: 1 }, inputs);
  const evaluation = { dataset, selection: draw(dataset, 1, flags.seed).chosen };
  return { calibration: evaluation, evaluation, warnings: [] };
}

/** A stream tells only when it is read whether it leaves anything over: if not, the calibration samples judge as well. */
export async function settle(plan: SamplePlan): Promise<SamplePlan> {
  const { dataset, selection } = plan.evaluation;
  if (dataset.count !== undefined || !('from' in selection) || selection.from === 0) return plan;
  for await (const _ of dataset.samples({ from: selection.from, to: selection.from + 1 })) return plan;
  return { ...plan, evaluation: plan.calibration, warnings: [...plan.warnings, sameSamples] };
}

/** All samples of a path, with the same preprocessing. */
export async function everySample(flags: DataFlags, path: string, inputs: readonly InputInfo[]): Promise<Samples> {
  const { data: _data, reader: _reader, samples: _samples, ...rest } = flags;
  const dataset = await openFlags({ ...rest, data: path }, inputs);
  return { dataset, selection: { from: 0 } };
}

function atMostHalf(count: number | undefined): number {
  return count === undefined ? usualCalibration : Math.max(1, Math.min(usualCalibration, Math.floor(count / 2)));
}

/** Runs the first of the samples, as often as the model takes it. */
export async function runOnce(
  session: Session,
  inputs: readonly InputInfo[],
  { dataset, selection }: Samples,
): Promise<void> {
  for await (const sample of dataset.samples(selection)) {
    await session.run(feedsOfOne(sample, inputs, dataset));
    break;
  }
}

/** What the user should know about the samples before trusting any figure made of them. */
export function cautions(dataset: Dataset): string[] {
  const lines: string[] = [];
  if (dataset.synthetic)
    lines.push('the samples are RANDOM NUMBERS: ranges and accuracy figures mean nothing for real data');
  if (isAssumed(dataset.preprocess))
    lines.push(`no --preprocess was given: images are read with ${dataset.preprocess}`);
  return lines;
}
