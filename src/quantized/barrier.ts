/**
 * Keeps float what was left float. onnxruntime 1.30 quantizes the float weights of any Conv, ConvTranspose or Gemm that stands
 * between a DequantizeLinear and a QuantizeLinear, which would undo every --exclude. A Sum of one operand is the identity, is no
 * pattern of its optimizer, and runs in its blocked layout: put before the QuantizeLinear it breaks the pattern at next to no cost.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import { specOf } from '../ops/index.ts';

/** Puts the barrier before every QuantizeLinear that would draw a float node with weights into int8. Returns their labels. */
export function guardFloatNodes(graph: Graph): string[] {
  const guarded: string[] = [];
  for (const node of graph.nodes()) {
    const quantize = quantizerBehind(node);
    if (!quantize) continue;
    const value = quantize.input(0)!;
    const barrier = graph.makeNode('Sum', [value], {
      name: `${node.name || value.name}_float`,
      outputs: [`${value.name}_float`],
    });
    graph.insertBefore(barrier, quantize);
    quantize.setInput(0, barrier.output()!);
    guarded.push(node.label);
  }
  return guarded;
}

/** The quantizer that is the only reader of the node's result, or of the Relu or Clip behind it, which would be removed. */
function quantizerBehind(node: Node): Node | undefined {
  if (!specOf(node)?.weight || !node.constant(1) || !node.input(0)?.producer?.is('DequantizeLinear')) return undefined;
  let user = node.output()?.soleUser;
  while (user && specOf(user)?.clamp) user = user.output()?.soleUser;
  return user?.is('QuantizeLinear') ? user : undefined;
}
