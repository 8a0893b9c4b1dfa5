/**
 * Inputs for a proof, or a report, when the user gives none. Open dimensions are not told by the model, so sizes are tried until it runs;
 * a model that runs with none of them, or takes what cannot be generated, leaves the proof without inputs and says why.
 */
import type { SessionOptions } from '../../backends/session-options.ts';
import { openSession } from '../../backends/session.ts';
import { openModel, openToRun } from '../../compare/models.ts';
import type { Dataset, InputInfo } from '../../data/sample.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import type { RunFlags, DataFlags } from '../../settings/options.ts';
import { cautions, draw, everySample, openFlags, runOnce, usualEvaluation, type SamplePlan } from './samples.ts';

/** For every open dimension but the batch axis: what sequences, images and signals usually take. */
const usualSizes = [64, 256, 1024, 16, 4, 1];

type Dim = InputInfo['dims'][number];

export interface Generated {
  /** Undefined when the model runs on nothing that can be generated. */
  readonly dataset: Dataset | undefined;
  /** What the user should know, one line each. */
  readonly notes: readonly string[];
}

/**
 * @param path of the original model, which is tried
 * @param settings of the session that tries it
 */
export async function generateInputs(
  path: string,
  inputs: readonly InputInfo[],
  flags: DataFlags & RunFlags,
  settings: SessionOptions = {},
): Promise<Generated> {
  const batchAxes = new Set(inputs.map(({ dims }) => dims[0]).filter((dim) => typeof dim === 'string'));
  const isOpen = (dim: Dim, axis: number): boolean =>
    axis > 0 && typeof dim !== 'number' && (dim === null || !batchAxes.has(dim));
  const open = new Set(inputs.flatMap(({ dims }) => dims.filter(isOpen)));
  const names = [...open].map((dim) => (dim === null ? 'one without a name' : `'${dim}'`)).join(', ');
  const closed = ({ dims, ...input }: InputInfo, size: number): InputInfo => ({
    ...input,
    // The batch is 1 wherever its name stands.
    dims: dims.map((dim, axis) => (isOpen(dim, axis) ? size : typeof dim === 'number' ? dim : 1)),
  });
  // Simulated, no integer kernel runs that could not compute the model.
  const { source } = settings.simulate ? openModel(path) : openToRun(path);
  const session = await openSession(source, { threads: flags.threads, ...settings }, `'${path}'`);
  let failure = '';
  try {
    for (const size of open.size === 0 ? [1] : usualSizes) {
      try {
        const dataset = await openFlags(
          { ...flags, data: 'random' },
          inputs.map((input) => closed(input, size)),
        );
        await runOnce(session, inputs, { dataset, selection: [0] });
        return {
          dataset,
          notes: open.size === 0 ? [] : [`inputs were generated with ${size} for the open dimensions (${names})`],
        };
      } catch (error) {
        if (!(error instanceof QdqError)) throw error;
        failure = error.message;
      }
    }
  } finally {
    await session.dispose();
  }
  return {
    dataset: undefined,
    notes: [
      `EQUALITY WAS NOT PROVEN, since no inputs could be generated: ${failure}; give real ones with --data or --reader`,
    ],
  };
}

/** Samples for the report of a model that is made without any: what was given, else generated inputs, which it says. */
export async function judgingSamples(
  flags: DataFlags & RunFlags,
  path: string,
  inputs: readonly InputInfo[],
): Promise<SamplePlan> {
  if (flags.eval !== undefined) {
    const evaluation = await everySample(flags, flags.eval, inputs);
    return { calibration: evaluation, evaluation, warnings: cautions(evaluation.dataset) };
  }
  const given = flags.data !== undefined || flags.reader !== undefined;
  const generated = given ? undefined : await generateInputs(path, inputs, flags);
  const dataset = generated?.dataset ?? (await openFlags(flags, inputs));
  const wanted = flags.samples ?? Math.min(usualEvaluation, dataset.count ?? usualEvaluation);
  const { chosen, note } = draw(dataset, wanted, flags.seed);
  const evaluation = { dataset, selection: chosen };
  const notes = [...(generated?.notes ?? []), ...cautions(dataset), ...(note === undefined ? [] : [note])];
  return { calibration: evaluation, evaluation, warnings: notes };
}
