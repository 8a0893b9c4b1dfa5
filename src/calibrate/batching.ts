/** How a calibration runs its samples (data/runs.ts), and which elements of a run that is filled up are those of the real ones. */
import { inputsOf } from '../data/model-inputs.ts';
import { repeatedAxis, oneAtATime, planRuns, rowsOf, type Runs, type InputHints } from '../data/runs.ts';
import type { Sample } from '../data/sample.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { activationFinder } from './graph-outputs.ts';
import type { Observer } from './observers/observer.ts';
import type { Elements } from './statistics-reader.ts';

/** How samples share runs, and what the user should know of it. */
export interface BatchPlan {
  readonly runs: Runs;
  readonly note: string | undefined;
}

/**
 * Decides how samples share runs, and what is to be said of it.
 * @param sample one of the samples to come
 * @param asked samples per run, as wanted
 * @param observer one that wants each sample by itself gets it: of a fixed batch only where that is more than a matter of style, because
 * it makes as many runs as there are samples
 */
export function planBatches(
  model: Model,
  sample: Sample,
  asked: number,
  side: InputHints,
  { oneByOne, elements }: Pick<Observer, 'oneByOne' | 'elements'>,
): BatchPlan {
  if (!Number.isSafeInteger(asked) || asked < 1) throw calibrateErrors.batchSize(asked);
  const wanted = oneByOne ? 1 : asked;
  const planned = planRuns(inputsOf(model), sample, wanted, side);
  const runs = oneByOne && !elements ? oneAtATime(planned) : planned;
  const { samples } = planned;
  const unasked = wanted > 1 && samples !== wanted;
  const note =
    samples > 1 ? `the model takes exactly ${samples} samples at a time` : 'the model takes 1 sample at a time';
  return { runs, note: unasked ? note : undefined };
}

/** By tensor: whether its rows are those of the samples, one after the other; undefined where it has none of theirs. */
export type RowsOfSamples = readonly (boolean | undefined)[];

/** @param elements of a run of one sample, as often as the batch is large */
export function rowsFound(
  model: Model,
  tensors: readonly string[],
  elements: readonly (Elements | undefined)[],
  runs: Runs,
): RowsOfSamples {
  const find = activationFinder(model);
  const batched = reached(model, runs);
  return tensors.map((tensor, i) => {
    const each = elements[i];
    if (!each || !batched.has(find(tensor))) return undefined;
    const { rows, data } = each;
    return repeatedAxis({ dims: [rows, data.length / rows], data }, rowsOf(runs, 1)) === 0;
  });
}

/** Elements of the real samples alone. What holds no rows of samples, or rows that cannot be told apart, counts whole. */
export function realElements({ data }: Elements, size: number, runs: Runs, rows: boolean | undefined): Float32Array {
  const share = size / rowsOf(runs, size);
  return rows !== true || share === 1 ? data : data.subarray(0, Math.round(data.length * share));
}

/** Values that are made of inputs in which samples lie side by side. */
function reached(model: Model, { axes }: Runs): ReadonlySet<Value> {
  const found = new Set<Value>(model.feeds.filter(({ name }) => axes.has(name)));
  // A set is walked in the order in which it grows.
  for (const value of found) {
    for (const user of value.users.keys()) {
      if (user.is('Shape', 'Size')) continue;
      // What reads it in a body makes the results of the node that owns the body.
      for (let node = user; ; node = node.graph!.owner!) {
        for (const output of node.outputs) if (output) found.add(output);
        if (!node.graph?.owner) break;
      }
      for (const body of user.subgraphs()) for (const inner of body.inputs) found.add(inner);
    }
  }
  return found;
}
