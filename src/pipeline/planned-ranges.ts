/** Ranges for the quantizers of a plan: what is worth clipping depends on the number of codes (observer mse). */
import { rangesOf, type CalibrationState } from '../calibrate/state.ts';
import type { Ranges } from '../calibrate/ranges.ts';
import {
  activationScheme,
  plannedTensors,
  quantizerKey,
  type ActivationScheme,
  type Plan,
} from '../quantizable/plan.ts';

/**
 * By tensor, and by quantizerKey for tensors that are quantized a second time.
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
