/**
 * Where the nodes of a quantized model really run. onnxruntime is asked to write down the graph it executes (executed.ts), because
 * placement is read from there, never assumed: its integer kernels, its float nodes and the conversions left between them are counted,
 * every float node gets a reason, and float nodes that it draws into int8 all the same are found.
 */
import { copyModel } from '../graph/from-proto.ts';
import { elementTypes, isFloat, isLowBit, type ElementTypes } from '../graph/element-types.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { isDequantize, isQuantize, findRegions, type Region } from './regions.ts';
import { executedModel, leftConversions, writtenNode } from './executed.ts';
import { movesExactly } from './unfused.ts';
import type { NodeRow, Placement } from './report.ts';
import { own } from '../graph/names.ts';

/** Nodes that quantization left float on purpose, by name. */
export type LeftFloat = readonly { readonly node: string; readonly reason: string }[];

/** Rows of the report. */
export interface PlacementResult {
  readonly placement: Placement;
  readonly nodes: NodeRow[];
  /** Nodes written with float weights that onnxruntime quantized all the same, as it does between quantizers (1.30). */
  readonly quantizedAnyway: string[];
}

const conversions = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);

/** Operators that only rename, reshape or hold data, and containers whose bodies are counted instead. */
const noCompute = new Set([
  ...['Cast', 'Constant', 'ConstantOfShape', 'Dropout', 'Expand', 'Flatten', 'Identity', 'Reshape', 'Shape', 'Size'],
  ...['Squeeze', 'Unsqueeze', 'Transpose', 'ReorderInput', 'ReorderOutput', 'If', 'Loop', 'Scan'],
]);

/**
 * Finds where the nodes run.
 * @param emitted the quantized model as it was written
 * @param source what to open: its path, or the model itself when onnxruntime cannot read the file alone
 */
export async function findPlacement(
  emitted: Model,
  source: string | Model,
  name: string,
  leftFloat: LeftFloat = [],
): Promise<PlacementResult & { readonly executed: Model }> {
  const executed = await executedModel(emitted, source, name);
  return { ...describePlacement(emitted, executed, leftFloat), executed };
}

/** Compares the two graphs. Nodes are matched by name, and where onnxruntime renames them by the values they make. */
export function describePlacement(emitted: Model, executed: Model, leftFloat: LeftFloat = []): PlacementResult {
  const types = elementTypes(executed);
  const placement = { int8: 0, float: 0, conversions: 0, byOp: {} as Record<string, { int8: number; float: number }> };
  const floats: Node[] = [];
  for (const node of executed.allNodes()) {
    const kind = kindOf(node, types);
    if (kind === 'none') continue;
    if (kind === 'conversion') {
      placement.conversions++;
      continue;
    }
    placement[kind]++;
    const row = own(placement.byOp, node.opType) ?? (placement.byOp[node.opType] = { int8: 0, float: 0 });
    row[kind]++;
    if (kind === 'float') floats.push(node);
  }
  const { why, ...explained } = explainFloats(emitted, executed, floats, leftFloat);
  const left = leftConversions(executed, (node) => conversions.has(node.opType), why);
  return { placement: { ...placement, left }, ...explained };
}

/** Whether a node calculates with floats, as opposed to naming, shaping or holding them. */
export function isCompute(node: Node, types: ElementTypes): boolean {
  return kindOf(node, types) === 'float';
}

/** What a node of an executed graph counts as. */
export function kindOf(node: Node, types: ElementTypes): 'int8' | 'float' | 'conversion' | 'none' {
  // The identity that keeps onnxruntime from fusing what was left float (quantized/barrier.ts).
  if (node.is('Sum') && node.inputs.length === 1) return 'none';
  if (conversions.has(node.opType)) return 'conversion';
  const values = [...node.inputs, ...node.outputs].filter((value) => value !== null);
  if (node.opType !== 'Cast' && values.some((value) => isLowBit(types.get(value)))) return 'int8';
  return !noCompute.has(node.opType) && values.some((value) => isFloat(types.get(value))) ? 'float' : 'none';
}

function explainFloats(
  emitted: Model,
  executed: Model,
  floats: readonly Node[],
  leftFloat: LeftFloat,
): Pick<PlacementResult, 'nodes' | 'quantizedAnyway'> & { why: Map<Node, { name: string; reason: string }> } {
  const why = new Map<Node, { name: string; reason: string }>();
  const { quantized, floatWeight, open } = findRegions(emitted);
  const byLabel = new Map(floats.map((node) => [node.label, node]));
  const reasons = new Map(open);
  const remains = ({ node, results }: Region): Node[] =>
    [...results.map(({ name }) => executed.graph.values.get(name)?.producer), byLabel.get(node.label)].filter(
      (found) => found !== undefined,
    );
  const quantizedAnyway: string[] = [];
  for (const region of floatWeight) {
    reasons.set(region.node, `its constant input '${region.operand}' is not quantized`);
    if (remains(region).length === 0) quantizedAnyway.push(region.node.label);
  }
  const planned = new Map(leftFloat.map(({ node, reason }) => [node, reason]));
  const listed = new Set<Node>();
  const nodes: NodeRow[] = [];
  for (const region of quantized) {
    const { node, obstacle } = region;
    const found = remains(region);
    if (found.length === 0 || planned.has(node.label)) continue;
    for (const each of found) listed.add(each);
    const reason = notFused + (obstacle === undefined ? '' : `: ${obstacle}`);
    for (const each of found) why.set(each, { name: node.label, reason });
    nodes.push({ name: node.label, op: node.opType, placement: 'not-fused', reason });
  }
  const written = new Map([...emitted.allNodes()].map((node) => [node.label, node]));
  for (const node of floats) {
    if (listed.has(node)) continue;
    const origin = writtenNode(node, emitted, written);
    const name = origin?.label ?? node.label;
    const found = origin === undefined ? madeFromFloat : (reasons.get(origin) ?? noQuantizer);
    const reason = planned.get(name) ?? found;
    why.set(node, { name, reason });
    nodes.push({ name, op: origin?.opType ?? node.opType, placement: 'float', reason });
  }
  return { nodes, quantizedAnyway, why };
}

const notFused = 'stands between DequantizeLinear and QuantizeLinear, but onnxruntime did not fuse it';
const madeFromFloat = 'onnxruntime made this node out of others that are float';
const noQuantizer = 'no quantizer stands before it';

/** A float node that onnxruntime draws into int8. */
interface Drawn {
  readonly node: Node;
  /** What it runs as, or "weights": in float, with weights that were rounded. */
  readonly as: string;
  readonly writesFloat: boolean;
}

/**
 * Finds the float nodes that onnxruntime draws into int8: the graph that it makes of a written model, held against what was left float.
 * Nodes are followed by names of their own, given to a copy for this one session, because those of a file need not be unique.
 *
 * @param floats nodes that were left float
 * @param named those of them that are not to work on codes even where they only move them
 * @param name how errors call the model
 */
export async function drawnNodes(
  emitted: Model,
  floats: ReadonlySet<Node>,
  named: ReadonlySet<Node>,
  name: string,
): Promise<Drawn[]> {
  const nodes = [...emitted.allNodes()];
  const copy = copyModel(emitted);
  for (const [index, node] of [...copy.allNodes()].entries()) node.name = `node:${index}:`;
  const executed = await executedModel(copy, copy, name);
  const types = elementTypes(executed);
  const found = new Map<Node, Drawn>();
  for (const kernel of executed.allNodes()) {
    const rounded = roundedFor(kernel);
    const isInt8 = kindOf(kernel, types) === 'int8';
    if (!isInt8 && rounded === undefined) continue;
    const index = rounded ?? indexIn(kernel.name);
    const node = index === undefined ? makerOf(kernel, emitted) : nodes[index];
    if (!node || !floats.has(node) || found.has(node) || (movesExactly(node) && !named.has(node))) continue;
    const writesFloat = rounded === undefined && kernel.outputs.some((value) => value && isFloat(types.get(value)));
    found.set(node, { node, as: isInt8 ? kernel.opType : 'weights', writesFloat });
  }
  return [...found.values()];
}

function indexIn(name: string): number | undefined {
  const index = /^node:(\d+):/.exec(name)?.[1];
  return index === undefined ? undefined : Number(index);
}

/** The node for which onnxruntime quantized float weights, if that is what this DequantizeLinear reads. */
function roundedFor(kernel: Node): number | undefined {
  return isDequantize(kernel) && /^node:\d+:_weight_dq/.test(kernel.name) ? indexIn(kernel.name) : undefined;
}

/** By the result, for a kernel that got another name: the node of the same operator that makes it or what is quantized to it. */
function makerOf(kernel: Node, { graph }: Model): Node | undefined {
  let node = graph.values.get(kernel.output()?.name ?? '')?.producer;
  if (isQuantize(node)) node = node!.input(0)?.producer;
  while (node && !kernel.opType.includes(node.opType) && node.is('Relu', 'Clip')) node = node.input(0)?.producer;
  return node && kernel.opType.includes(node.opType) ? node : undefined;
}
