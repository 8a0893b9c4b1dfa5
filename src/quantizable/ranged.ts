/**
 * Plan + ranges → the plan that holds for these samples. A tensor that was zero, empty or, in a branch that no sample takes,
 * never computed has the range [0, 0]. No scale follows from that, and one made up would cut off whatever comes later: what
 * reads or writes the tensor stays float.
 */
import type { Model } from '../graph/model.ts';
import type { Interval } from '../ops/op.ts';
import { observedTensors, type QdqPlan } from './plan.ts';
import { planQuantization, type PlanRequest } from './planner.ts';

/**
 * Refines a plan by the ranges that calibration found.
 * @param plan made with the same request, before calibration
 * @param ranges of the tensors that it observes; one that is missing is left for the emission to complain about
 */
export function planRanged(
  model: Model,
  request: PlanRequest,
  plan: QdqPlan,
  ranges: ReadonlyMap<string, Interval>,
): QdqPlan {
  const unranged = new Set<string>();
  const collect = (from: QdqPlan, isUnranged: (range: Interval | undefined) => boolean): boolean => {
    const found = observedTensors(from).filter((tensor) => isUnranged(ranges.get(tensor)));
    for (const tensor of found) unranged.add(tensor);
    return found.length > 0;
  };
  let current = plan;
  let again = collect(plan, (range) => range !== undefined && isNothing(range));
  while (again) {
    current = planQuantization(model, { ...request, unranged });
    // What shared a range or had a fixed one may now stand alone, unobserved.
    again = collect(current, (range) => range === undefined || isNothing(range));
  }
  return current;
}

function isNothing({ min, max }: Interval): boolean {
  return min === 0 && max === 0;
}
