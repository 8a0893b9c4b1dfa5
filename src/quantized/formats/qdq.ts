/**
 * The format QDQ, the default: QuantizeLinear and DequantizeLinear around float operators, which every runtime can read and onnxruntime
 * fuses. With --float-type float16, what it leaves float is in float16: for runtimes whose integer regions stand among half-precision
 * kernels (TensorRT, OpenVINO, QNN, WebGPU). Quantizers keep their float32 scales; a Cast stands where a value crosses. What float16
 * cannot hold stays float32.
 */
import { valueFinder, type Model } from '../../graph/model.ts';
import { plannedTensors, type MixedPlan, type Plan, type QdqPlan } from '../../quantizable/plan.ts';
import { planQuantization, type PlanRequest } from '../../quantizable/planner.ts';
import { planRanged } from '../../quantizable/ranged.ts';
import { describeScheme, leastOpset } from '../../quantizable/scheme.ts';
import { float16 } from '../float16/float16.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitQdq } from '../qdq.ts';

export const qdq: Format = {
  name: 'qdq',
  summary: 'QuantizeLinear and DequantizeLinear around float operators, fused by the runtime',
  perNode: true,
  mixes: { order: 1, observes: true },
  configure(scheme, { recurrent, floatType }) {
    const configured: ConfiguredFormat<QdqPlan> = {
      format: 'qdq',
      description: `QDQ, ${describeScheme(scheme)}`,
      settings: recurrent === undefined ? {} : { recurrent },
      static: true,
      leastOpset: leastOpset(scheme),
      plan: planQuantization,
      refine: planRanged,
      emit: emitQdq,
    };
    return floatType === 'float16' ? withHalfRest(configured, scheme) : configured;
  },
};

/** The format with what it leaves float in float16, planned and written as a part of its own. */
function withHalfRest(format: ConfiguredFormat, scheme: PlanRequest['scheme']): ConfiguredFormat<MixedPlan> {
  const half = float16.configure(scheme, {});
  const keys = { base: format.format, rest: half.format };
  /** @param make the plan of one of both */
  const plan = (
    model: Model,
    request: PlanRequest,
    make: (part: ConfiguredFormat, key: string, own: PlanRequest) => Plan,
  ): MixedPlan => {
    const base = make(format, keys.base, request);
    const rest = make(half, keys.rest, { ...request, mayBeEmpty: true, overrides: only(model, base, request) });
    const tensors = plannedTensors(base);
    const names = new Set(tensors.map(({ name }) => name));
    const reasons = new Map(rest.float.map(({ tensor, reason }) => [tensor, reason]));
    const halves = new Set(rest.regions.map(({ tensor }) => tensor));
    return {
      kind: 'mixed',
      target: base.target,
      scheme: base.scheme,
      // A quantizer on a tensor says more than a look at its range.
      tensors: [...tensors, ...plannedTensors(rest).filter(({ name }) => !names.has(name))],
      regions: [...base.regions, ...rest.regions.map((region) => ({ ...region, format: half.format }))],
      float: base.float
        .filter(({ tensor }) => tensor === undefined || !halves.has(tensor))
        .map((each) => {
          const why = each.tensor !== undefined && each.named !== true ? reasons.get(each.tensor) : undefined;
          return why === undefined ? each : { ...each, reason: `${each.reason}; not in float16: ${why}` };
        }),
      parts: [
        { key: keys.base, plan: base },
        { key: keys.rest, plan: rest },
      ],
    };
  };
  const partOf = ({ parts }: MixedPlan, key: string): Plan => parts.find((each) => each.key === key)!.plan;
  return {
    ...format,
    description: `${format.description}, the rest in float16`,
    settings: { ...format.settings, floatType: 'float16' },
    leastOpset: Math.max(format.leastOpset, half.leastOpset),
    plan: (model, request) => plan(model, request, (part, _, own) => part.plan(model, own)),
    refine: (model, request, wanted, ranges) =>
      plan(model, request, (part, key, own) => part.refine(model, own, partOf(wanted, key), ranges)),
    emit(model, whole, ranges) {
      const made = format.emit(model, partOf(whole, keys.base), ranges);
      const rest = half.emit(made.model, partOf(whole, keys.rest), ranges);
      return { ...made, model: rest.model };
    },
  };
}

/** Overrides under which a second plan sees only the nodes that the first leaves float, and that the user did not name. */
function only(model: Model, { float }: Plan, { overrides }: PlanRequest): NonNullable<PlanRequest['overrides']> {
  const find = valueFinder(model);
  const left = new Set(
    float.flatMap(({ tensor, named }) => (tensor === undefined || named ? [] : [find(tensor)?.producer])),
  );
  return {
    text: (node) => overrides?.text(node),
    foreign: (node) => !left.has(node) || (overrides?.foreign(node) ?? false),
    float: (node) => overrides?.float(node) ?? false,
    scheme: (node) => overrides?.scheme(node),
  };
}
