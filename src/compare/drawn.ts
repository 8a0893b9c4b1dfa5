/**
 * Float nodes that onnxruntime draws into int8: the graph that it makes of a written model, held against what was left float. Nodes
 * are followed by names of their own, given to a copy for this one session, because those of a file need not be unique.
 */
import { copyModel } from '../graph/from-proto.ts';
import { elementTypes, isFloat } from '../graph/element-types.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { isDequantize, isQuantize } from './regions.ts';
import { kindOf } from './placement.ts';
import { executedModel } from './executed.ts';
import { movesExactly } from './unfused.ts';

export interface Drawn {
  readonly node: Node;
  /** What it runs as, or "weights": in float, with weights that were rounded. */
  readonly as: string;
  readonly writesFloat: boolean;
}

/**
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
