/**
 * Converting, held against the source: default onnxruntime, as users run the file, must compute what the source means. Layer by layer,
 * from one quantizer to the next, and then the model as a whole. A layer whose integer kernel computes something else is converted
 * otherwise: with unsigned weights where only this CPU's saturating products are to blame, else it stays float between its quantizers.
 */
import { openSession } from '../../backends/session.ts';
import type { Model } from '../../graph/model.ts';
import { lowerFakeQuant, type Lowered, type LowerSettings } from '../../qat/lower.ts';
import type { ConvertOptions } from '../../settings/options.ts';
import { Judge } from './verifier.ts';
import type { Deviation } from './deviations.ts';
import type { Samples } from '../samples/samples.ts';
import { runSource } from './source-runs.ts';

export interface Proven {
  readonly lowered: Lowered;
  readonly notes: readonly string[];
  readonly runs: number;
  /** Those that were run; undefined when none could be generated. */
  readonly samples: Samples | undefined;
  /** Largest difference of an output, in units of its range. */
  readonly worstDifference: number | undefined;
}

/**
 * @param source fused; `widened` when it is no longer of the float types that the file has
 * @param finish what else is done to the result before it is written
 * @throws QAT_NOT_EQUAL, BACKEND_LOAD, BACKEND_RUN when no form of the model computes what the source means
 */
export async function lowerProven(
  { model: source, widened }: { readonly model: Model; readonly widened: boolean },
  options: ConvertOptions,
  finish: (lowered: Lowered) => void,
): Promise<Proven> {
  const reference = await runSource(options, widened ? source : undefined);
  const judge = new Judge(source, reference, options);
  const float = new Set<string>();
  let unsigned = false;
  const attempt = (settings: LowerSettings = {}): Lowered => {
    const made = lowerFakeQuant(source, { float, unsigned, ...settings });
    finish(made);
    return made;
  };
  let lowered = attempt();
  if (reference.runs.length === 0) {
    const session = await openSession(lowered.model, { threads: options.threads }, judge.label);
    await session.dispose();
    return { lowered, notes: reference.notes, runs: 0, samples: undefined, worstDifference: undefined };
  }
  const keepAllFloat = (): Lowered => {
    for (const name of judge.ends) for (const result of judge.resultsBefore(name)) float.add(result);
    return attempt();
  };
  const all = new Set(judge.ends.flatMap((name) => judge.resultsBefore(name))).size;
  for (;;) {
    let found: readonly Deviation[];
    try {
      found = await judge.parts(lowered);
    } catch (error) {
      // onnxruntime refuses what its own fusions make of the model.
      if (float.size === all) throw error;
      lowered = keepAllFloat();
      continue;
    }
    if (found.length === 0) break;
    if (!unsigned && judge.maySaturate) {
      const other = attempt({ unsigned: true });
      const left = await judge.parts(other).catch(() => found);
      if (left.length < found.length) {
        [unsigned, lowered, found] = [true, other, left];
        if (found.length === 0) break;
      }
    }
    const before = float.size;
    for (const { name } of found) for (const result of judge.resultsBefore(name)) float.add(result);
    // What is float already deviates for another reason: whether that can be seen, the whole tells.
    if (float.size === before) break;
    lowered = attempt();
  }
  let { worst, deviation } = await judge.whole(lowered);
  if (deviation) {
    lowered = keepAllFloat();
    ({ worst, deviation } = await judge.whole(lowered));
    if (deviation) throw judge.error(deviation);
  }
  const notes = [
    ...reference.notes,
    ...judge.notes(lowered, float, unsigned),
    ...(await judge.roundedActivations(lowered)),
  ];
  return { lowered, notes, runs: reference.runs.length, samples: reference.samples, worstDifference: worst };
}
