/**
 * Fused float graph + scheme → plan. An operator's rule (ops/op.ts) speaks only of its own inputs and output; the planner decides by
 * neighbours. Anchors (Conv, Gemm, MatMul) run in int8 by themselves. The nodes between them follow when an int8 node feeds them and
 * an int8 node wants their result; a node that only reads or writes float stays float, because a quantizer there would cost accuracy
 * and time and win nothing. A Relu or Clip behind a region belongs to it and vanishes when the output codes cannot leave its limits
 * anyway. Quantizers stand on the edges of regions only; the last Gemm writes float. Bodies of If, Loop and Scan are planned with the
 * main graph.
 *
 * What has an int8 form and stays float all the same: ranged.ts (no range in any sample), float-for-accuracy.ts, kept-nodes.ts,
 * attention.ts, optimize.ts.
 */
import type { Scheme, Target } from '../backends/targets/target.ts';
import type { QdqError } from '../errors/qdq-error.ts';
import { planErrors } from '../errors/quantizable.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topologicalDeep } from '../graph/walk.ts';
import { specOf } from '../ops/index.ts';
import { activationsOf, ownActivations, ownWeights, sameActivations, takesChannels } from './scheme.ts';
import { attentionReasons, masksOf, type Reach } from './attention.ts';
import { findCandidates, type Candidate, decide, demands } from './candidates.ts';
import { normalizingReasons, keepStems } from './float-for-accuracy.ts';
import { keeperOf } from './kept-nodes.ts';
import { keepEnds, storedWeights, type Goal } from './optimize.ts';
import {
  weightKey,
  type ActivationScheme,
  type Operand,
  type QdqPlan,
  type PlannedFloat,
  type RegionPlan,
  type TensorPlan,
  type WeightPlan,
} from './plan.ts';
import { plannedFloat, selectNodes, type NodeSelection, type SelectionRequest } from './selection.ts';

/** What is to be planned. */
export interface PlanRequest extends SelectionRequest {
  readonly target: Target;
  readonly scheme: Scheme;
  /** What the result is to be best at; default: latency. */
  readonly optimize?: Goal | undefined;
  /** Names of tensors for which calibration found no range: what reads or writes them stays float. */
  readonly unranged?: ReadonlySet<string>;
}

/**
 * Plans the main graph and every body as one: a body's nodes stand before the node that owns it, as do the nodes whose values
 * the body captures. Names of tensors must be unique in the model.
 * @throws PLAN_NO_MATCH, PLAN_BAD_PATTERN, PLAN_NOTHING
 */
export function planQuantization(model: Model, request: PlanRequest): QdqPlan {
  const selection = selectNodes(model, request);
  const order = [...topologicalDeep(model.graph)];
  const { target, scheme } = request;
  const masks = masksOf(model, target.placement.activations === 'edges');
  const keeper = keeperOf(model, request.unranged ?? new Set(), masks);
  const schemeOf = (node: Node): Scheme => request.overrides?.scheme(node) ?? scheme;
  const { activations: placed, followers } = target.placement;
  const edges = placed === 'edges' && followers === 'between';
  const better = edges ? normalizingReasons(order) : new Map<Node, string>();
  const { byNode, absorbed, reasons } = findCandidates(order, target, selection, keeper, better);
  if (request.optimize === 'accuracy') keepEnds(order, byNode, selection, reasons);
  let wanted = demands(order, byNode, followers);
  if (edges && keepStems(order, byNode, wanted, selection, reasons)) wanted = demands(order, byNode, followers);
  const int8 = decide(order, byNode, wanted, reasons, followers);
  if (int8.size === 0 && !request.mayBeEmpty) throw nothingToDo(order, reasons);

  const regionOfOutput = new Map<Value, Candidate>();
  for (const candidate of int8.values()) for (const output of candidate.outputs) regionOfOutput.set(output, candidate);
  const floatBranch = placed === 'inputs' ? floatBranches(int8, regionOfOutput) : new Map<Node, number>();
  const read = new Set<Value>();
  for (const { node, rule } of int8.values()) {
    for (const { role, index } of rule.operands) {
      if (role === 'activation' && floatBranch.get(node) !== index) read.add(node.input(index)!);
    }
  }
  const needsQuantizer = (candidate: Candidate, output: Value): boolean =>
    read.has(output) || (placed === 'edges' && (followers === 'everywhere' || !candidate.rule.floatOutput));

  const tensors = new Map<string, TensorPlan>();
  const weights = new Map<string, WeightPlan>();
  const regions: RegionPlan[] = [];
  /** Plans the tensor unless it is planned. A node that wants it in another scheme than its own reads a conversion of it. */
  const operandOf = (value: Value, input: number, wanted: ActivationScheme, reach: Reach | undefined): Operand => {
    const { name } = value;
    const planned = tensors.get(name);
    if (!planned && !regionOfOutput.has(value)) {
      const source = value.isConstant ? 'constant' : 'observe';
      tensors.set(name, { name, source, ...ownActivations(wanted, scheme), int8Producer: false });
    }
    if (reach) {
      const plan = tensors.get(name)!;
      tensors.set(name, { ...plan, reach: [...(plan.reach ?? []), reach] });
    }
    const own =
      planned && !sameActivations(planned.as ?? activationsOf(scheme), wanted) ? tensors.get(name)! : undefined;
    if (!own) return { tensor: name, input };
    const { conversions = [] } = own;
    if (!conversions.some((each) => sameActivations(each, wanted)))
      tensors.set(name, { ...own, conversions: [...conversions, wanted] });
    return { tensor: name, input, as: wanted };
  };
  for (const node of order) {
    const candidate = int8.get(node);
    if (!candidate) continue;
    const { rule, clamps, outputs } = candidate;
    const activations: Operand[] = [];
    let weight: RegionPlan['weight'];
    let bias: Operand | undefined;
    for (const operand of rule.operands) {
      const value = node.input(operand.index)!;
      if (operand.role === 'activation') {
        if (floatBranch.get(node) === operand.index) continue;
        const reach = value.isConstant ? masks.reach(node, operand.index, outputs[0]!.name) : undefined;
        activations.push(operandOf(value, operand.index, activationsOf(schemeOf(node)), reach));
      } else if (operand.role === 'weight') {
        const own = schemeOf(node);
        const axis = takesChannels(target, own, node) ? operand.axis : undefined;
        const plan: WeightPlan = {
          name: value.name,
          ...(axis === undefined ? {} : { axis }),
          ...(operand.layout === undefined ? {} : { layout: operand.layout }),
          ...ownWeights(own, scheme),
        };
        weights.set(weightKey(plan), plan);
        weight = { ...plan, input: operand.index };
      } else {
        bias = { tensor: value.name, input: operand.index };
      }
    }
    const quantizedOutput = outputs.some((output) => needsQuantizer(candidate, output));
    if (quantizedOutput) {
      for (const output of outputs)
        tensors.set(output.name, outputPlan(candidate, output, request, schemeOf(node), activations));
    }
    regions.push({
      node: node.label,
      op: node.opType,
      tensor: node.output()!.name,
      clamps: clamps.map((clamp) => clamp.label),
      activations,
      ...(weight === undefined ? {} : { weight }),
      ...(bias === undefined ? {} : { bias }),
      outputs: outputs.map((output) => output.name),
      ...(movesCodes(model.opset, target, schemeOf(node), candidate) ? { onCodes: true as const } : {}),
      quantizedOutput: quantizedOutput && placed === 'edges',
    });
  }
  const stored =
    request.optimize === 'size'
      ? storedWeights(order, int8, selection, (node) => takesChannels(target, scheme, node))
      : [];
  for (const { weight } of stored) weights.set(weightKey(weight), weight);
  return {
    kind: 'qdq',
    target: target.name,
    scheme,
    encoding: target.encoding,
    tensors: [...tensors.values()],
    weights: [...weights.values()],
    regions,
    ...(stored.length > 0 && { stored }),
    float: floatNodes(order, int8, absorbed, attentionReasons(order, int8, masks, reasons, selection), selection),
  };
}

/** Whether the node works on the codes themselves: see OpSpec.moveCodes. */
function movesCodes(opset: number, target: Target, scheme: Scheme, { node, rule }: Candidate): boolean {
  const { since = Infinity } = specOf(node)?.moveCodes ?? {};
  return target.movesCodes && scheme.activationType.endsWith('int8') && rule.output.kind === 'share' && opset >= since;
}

/** Finds of each int8 sum the operand that an operator with weights makes for it alone: the sum is added inside that kernel. */
function floatBranches(
  int8: ReadonlyMap<Node, Candidate>,
  regionOfOutput: ReadonlyMap<Value, Candidate>,
): Map<Node, number> {
  const branches = new Map<Node, number>();
  for (const { node, rule } of int8.values()) {
    if (!rule.sum) continue;
    const branch = rule.operands.find(({ index }) => {
      const value = node.input(index)!;
      return regionOfOutput.get(value)?.rule.kind === 'anchor' && value.soleUser === node;
    });
    if (branch) branches.set(node, branch.index);
  }
  return branches;
}

/** Plans the quantizer of an output. */
function outputPlan(
  { node, rule }: Candidate,
  output: Value,
  { target, scheme }: PlanRequest,
  own: Scheme,
  activations: readonly Operand[],
): TensorPlan {
  const int8Producer = target.placement.activations === 'edges';
  const base = { name: output.name, ...ownActivations(activationsOf(own), scheme), int8Producer };
  const parameters = target.fixed[node.opType]?.[own.activationType];
  if (parameters) return { ...base, source: 'fixed', parameters };
  switch (rule.output.kind) {
    case 'observe':
      return { ...base, source: 'observe' };
    case 'fixed':
      return { ...base, source: 'fixed', range: rule.output.range };
    case 'share': {
      const { input } = rule.output;
      const withAs = activations.find((operand) => operand.input === input)?.as;
      return { ...base, source: 'share', with: node.input(input)!.name, ...(withAs && { withAs }) };
    }
  }
}

/** Quantizers that the model brought along convert between the two worlds and belong to neither. */
function isQuantizer(node: Node): boolean {
  return node.is('QuantizeLinear', 'DequantizeLinear');
}

/** Why there is nothing to quantize. */
function nothingToDo(order: readonly Node[], reasons: ReadonlyMap<Node, string>): QdqError {
  const quantizer = order.find(isQuantizer);
  if (quantizer) return planErrors.alreadyQuantized(quantizer.label);
  return planErrors.nothing([...new Set(reasons.values())].slice(0, 3));
}

/** The nodes that stay float, each with the first reason that holds. */
function floatNodes(
  order: readonly Node[],
  int8: ReadonlyMap<Node, Candidate>,
  absorbed: ReadonlySet<Node>,
  reasons: ReadonlyMap<Node, string>,
  selection: NodeSelection,
): PlannedFloat[] {
  const inRegion = new Set<Node>();
  for (const { node, clamps } of int8.values()) for (const member of [node, ...clamps]) inRegion.add(member);
  return order
    .filter((node) => !inRegion.has(node) && !isQuantizer(node) && !selection.foreign(node))
    .map((node) => {
      const otherwise = absorbed.has(node) ? 'the node it limits stays float' : 'no int8 node feeds it';
      return plannedFloat(node, reasons.get(node) ?? otherwise, selection);
    });
}
