/**
 * Fused float graph + scheme → plan. Anchors (Conv, Gemm, MatMul) run in int8 by themselves. The nodes between them follow
 * when an int8 node feeds them and an int8 node wants their result; a node that only reads or writes float stays float,
 * because a quantizer there would cost accuracy and time and win nothing.
 */
import type { Scheme, Target } from '../backends/targets/target.ts';
import { planErrors } from '../errors/quantizable.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';
import { findCandidates, type Candidate } from './candidates.ts';
import {
  weightKey,
  type FloatNode,
  type Operand,
  type Plan,
  type RegionPlan,
  type TensorPlan,
  type WeightPlan,
} from './plan.ts';
import { selectNodes, type SelectionRequest } from './selection.ts';

export interface PlanRequest extends SelectionRequest {
  readonly target: Target;
  readonly scheme: Scheme;
}

/** Throws when the model holds Q/DQ pairs already, a pattern matches nothing, or nothing can be quantized. */
export function planQuantization(model: Model, request: PlanRequest): Plan {
  const quantized = [...model.allNodes()].find((node) => node.is('QuantizeLinear', 'DequantizeLinear'));
  if (quantized) throw planErrors.alreadyQuantized(quantized.label);
  const selection = selectNodes(model, request);
  const { byNode, absorbed, reasons } = findCandidates(model.graph, request.target, selection);
  const order = topological(model.graph);
  const wanted = demands(order, byNode);
  const int8 = decide(order, byNode, wanted, reasons as Map<Node, string>);
  if (int8.size === 0) throw planErrors.nothing([...new Set(reasons.values())].slice(0, 3));

  const regionOfOutput = new Map<Value, Candidate>();
  for (const candidate of int8.values()) for (const output of candidate.outputs) regionOfOutput.set(output, candidate);
  const read = new Set<Value>();
  for (const { node, rule } of int8.values()) {
    for (const operand of rule.operands) if (operand.role === 'activation') read.add(node.input(operand.index)!);
  }
  const needsQuantizer = (candidate: Candidate, output: Value): boolean =>
    read.has(output) || !candidate.rule.floatOutput;

  const tensors = new Map<string, TensorPlan>();
  const weights = new Map<string, WeightPlan>();
  const regions: RegionPlan[] = [];
  const addInput = (value: Value): void => {
    if (tensors.has(value.name) || regionOfOutput.has(value)) return;
    tensors.set(value.name, {
      name: value.name,
      source: value.isConstant ? 'constant' : 'observe',
      int8Producer: false,
    });
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
        addInput(value);
        activations.push({ tensor: value.name, input: operand.index });
      } else if (operand.role === 'weight') {
        const axis = request.scheme.perChannel ? operand.axis : undefined;
        const plan: WeightPlan = {
          name: value.name,
          ...(axis === undefined ? {} : { axis }),
          ...(operand.layout === undefined ? {} : { layout: operand.layout }),
        };
        weights.set(weightKey(plan), plan);
        weight = { ...plan, input: operand.index };
      } else {
        bias = { tensor: value.name, input: operand.index };
      }
    }
    const quantizedOutput = outputs.some((output) => needsQuantizer(candidate, output));
    if (quantizedOutput) for (const output of outputs) tensors.set(output.name, outputPlan(candidate, output));
    regions.push({
      node: node.label,
      op: node.opType,
      tensor: node.output()!.name,
      clamps: clamps.map((clamp) => clamp.label),
      activations,
      ...(weight === undefined ? {} : { weight }),
      ...(bias === undefined ? {} : { bias }),
      outputs: outputs.map((output) => output.name),
      quantizedOutput,
    });
  }
  return {
    target: request.target.name,
    scheme: request.scheme,
    tensors: [...tensors.values()],
    weights: [...weights.values()],
    regions,
    float: floatNodes(model, int8, absorbed, reasons),
  };
}

function outputPlan({ node, rule }: Candidate, output: Value): TensorPlan {
  const base = { name: output.name, int8Producer: true };
  switch (rule.output.kind) {
    case 'observe':
      return { ...base, source: 'observe' };
    case 'fixed':
      return { ...base, source: 'fixed', range: rule.output.range };
    case 'share':
      return { ...base, source: 'share', with: node.input(rule.output.input)!.name };
  }
}

/** Values that some node would read as codes if it runs in int8: found backwards, through nodes that only follow. */
function demands(order: readonly Node[], byNode: ReadonlyMap<Node, Candidate>): Set<Value> {
  const wanted = new Set<Value>();
  for (const node of [...order].reverse()) {
    const candidate = byNode.get(node);
    if (!candidate) continue;
    if (candidate.rule.kind === 'follow' && !candidate.outputs.some((output) => wanted.has(output))) continue;
    for (const operand of candidate.rule.operands)
      if (operand.role === 'activation') wanted.add(node.input(operand.index)!);
  }
  return wanted;
}

/** Forwards: anchors are int8; followers are when an int8 node feeds them and their result is wanted. */
function decide(
  order: readonly Node[],
  byNode: ReadonlyMap<Node, Candidate>,
  wanted: ReadonlySet<Value>,
  reasons: Map<Node, string>,
): Map<Node, Candidate> {
  const int8 = new Map<Node, Candidate>();
  const codes = new Set<Value>();
  for (const node of order) {
    const candidate = byNode.get(node);
    if (!candidate) continue;
    const { rule, outputs } = candidate;
    if (rule.kind === 'follow') {
      const fed = rule.operands.some((operand) => codes.has(node.input(operand.index)!));
      const asked = outputs.some((output) => wanted.has(output));
      if (!fed || !asked) {
        reasons.set(node, fed ? 'its result is only read in float' : 'no int8 node feeds it');
        continue;
      }
    }
    int8.set(node, candidate);
    for (const output of outputs) if (wanted.has(output) || !rule.floatOutput) codes.add(output);
  }
  return int8;
}

function floatNodes(
  model: Model,
  int8: ReadonlyMap<Node, Candidate>,
  absorbed: ReadonlySet<Node>,
  reasons: ReadonlyMap<Node, string>,
): FloatNode[] {
  const inRegion = new Set<Node>();
  for (const { node, clamps } of int8.values()) for (const member of [node, ...clamps]) inRegion.add(member);
  const list: FloatNode[] = [];
  for (const node of model.allNodes()) {
    if (inRegion.has(node)) continue;
    const reason =
      reasons.get(node) ??
      (node.graph !== model.graph
        ? 'it stands in the body of a control-flow node'
        : absorbed.has(node)
          ? 'the node it limits stays float'
          : 'no int8 node feeds it');
    list.push({ node: node.label, op: node.opType, reason });
  }
  return list;
}
