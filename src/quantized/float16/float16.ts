/**
 * Half the size: float16 constants and arithmetic. For GPUs and WebGPU; on CPU onnxruntime computes in float32 between casts and
 * gains nothing but size. What float16 cannot hold, by constants and by observed ranges, stays in float32.
 */
import { copyModel } from '../../graph/from-proto.ts';
import { createFacts } from '../../graph/facts.ts';
import { valueFinder, type Model } from '../../graph/model.ts';
import { topologicalDeep } from '../../graph/walk.ts';
import type { Interval } from '../../ops/op.ts';
import { unobservable } from '../../quantizable/kept-nodes.ts';
import { loneRegion, type Float16Plan, type PlannedFloat, type RegionPlan } from '../../quantizable/plan.ts';
import type { PlanRequest } from '../../quantizable/planner.ts';
import { plannedFloat, selectNodes } from '../../quantizable/selection.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { convertToHalf } from './convert.ts';
import { floatValues, reasonForFloat } from './precision.ts';

export const float16: Format = {
  name: 'fp16',
  summary: 'float16 constants and arithmetic, for GPUs and WebGPU',
  mixes: { order: 2, observes: false },
  configure(_scheme, { keepIo = true }): ConfiguredFormat<Float16Plan> {
    return {
      format: 'fp16',
      description: `float16${keepIo ? ', float32 inputs and outputs' : ''}`,
      settings: { keepIo },
      leastOpset: 13,
      keepsTied: true,
      rangesOptional: true,
      plan: (model, request) => plan(model, request, new Map()),
      refine: (model, request, _wanted, ranges) => plan(model, request, ranges),
      emit(source, { regions }) {
        const model = copyModel(source);
        const find = valueFinder(model);
        const converted = new Set(regions.map(({ tensor }) => find(tensor)!.producer));
        const kept = new Set([...model.allNodes()].filter((node) => !converted.has(node)));
        convertToHalf(model, floatValues(model), kept, keepIo);
        return { model, activations: new Map(), repaired: [], origins: new Map() };
      },
    };
  },
};

/** Every float activation is observed: the plan that holds is made again when their ranges are known. */
function plan(model: Model, request: PlanRequest, ranges: ReadonlyMap<string, Interval>): Float16Plan {
  const values32 = floatValues(model);
  const { isFloat } = values32;
  const facts = createFacts();
  const selection = selectNodes(model, request);
  const regions: RegionPlan[] = [];
  const float: PlannedFloat[] = [];
  const names = new Set<string>();
  for (const node of topologicalDeep(model.graph)) {
    if (selection.foreign(node)) continue;
    const values = node.outputs.filter((value) => value !== null);
    const reason = reasonForFloat(node, values32, ranges, selection, facts);
    if (reason !== undefined) float.push(plannedFloat(node, reason, selection));
    else if ([...values, ...node.inputs].some((value) => value && isFloat(value))) regions.push(loneRegion(node));
    if (unobservable(node.graph!) || node.is('Constant')) continue;
    for (const value of values) if (isFloat(value)) names.add(value.name);
  }
  for (const input of model.feeds) {
    const read = [...input.users.keys()].some((node) => !selection.foreign(node));
    if (isFloat(input) && read) names.add(input.name);
  }
  const { target, scheme } = request;
  return {
    kind: 'float16',
    target: target.name,
    scheme,
    observed: [...names],
    regions,
    float,
  };
}
