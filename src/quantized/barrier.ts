/**
 * Keeps float what was left float. onnxruntime 1.30 quantizes the float weights of any Conv, ConvTranspose or Gemm that stands
 * between a DequantizeLinear and a QuantizeLinear, and runs any operator that has an integer kernel there on codes, which would
 * undo every --exclude and every preference of a target. A Sum of one operand is the identity, is no pattern of its optimizer,
 * and runs in its blocked layout: put before the QuantizeLinear it breaks the pattern at next to no cost.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import { specOf } from '../ops/index.ts';

/**
 * Puts the barrier before every QuantizeLinear that would draw a float node into int8. Returns their labels.
 * @param int8 nodes that are meant to run in int8; undefined: all but those with float weights
 */
export function guardFloatNodes(graph: Graph, int8?: ReadonlySet<Node>): string[] {
  const guarded: string[] = [];
  for (const node of graph.nodes()) {
    const drawn = hasFloatWeights(node) || (int8 !== undefined && !int8.has(node) && hasIntegerKernel(node));
    const quantize = drawn ? quantizerBehind(node) : undefined;
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

/**
 * Keeps one node float whose operands come from codes: behind a barrier they are no pattern of an integer kernel. Its constants stay as
 * they are, unless nothing else comes from codes.
 */
export function keepFloat(node: Node): void {
  const dequantized = node.inputs.flatMap((value, index) => (comesFromCodes(value?.producer) ? [index] : []));
  const computed = dequantized.filter((index) => !node.input(index)!.producer!.input(0)!.isConstant);
  for (const index of computed.length > 0 ? computed : dequantized) {
    const value = node.input(index)!;
    const barrier = node.graph!.makeNode('Sum', [value], { outputs: [`${value.name}_float`] });
    barrier.name = barrier.output()!.name;
    node.graph!.insertBefore(barrier, node);
    node.setInput(index, barrier.output()!);
  }
}

function hasFloatWeights(node: Node): boolean {
  return (
    specOf(node)?.weight !== undefined && node.constant(1) !== undefined && comesFromCodes(node.input(0)?.producer)
  );
}

/** An operator that makes other values, all of whose computed operands come from codes. What only moves values loses nothing there. */
function hasIntegerKernel(node: Node): boolean {
  const spec = specOf(node);
  const rule = spec && !spec.weight ? spec.quantize?.(node) : undefined;
  if (rule === undefined || typeof rule === 'string' || rule.output.kind === 'share') return false;
  const computed = rule.operands.map(({ index }) => node.input(index)).filter((value) => value && !value.isConstant);
  return computed.length > 0 && computed.every((value) => comesFromCodes(value!.producer));
}

function movesValues(node: Node): boolean {
  const rule = specOf(node)?.quantize?.(node);
  return rule !== undefined && typeof rule !== 'string' && rule.output.kind === 'share';
}

function comesFromCodes(producer: Node | undefined): boolean {
  return producer?.is('DequantizeLinear') ?? false;
}

/**
 * The quantizer that is the only reader of the node's result, or of what stands between: a Relu or Clip, which would be removed, or
 * an operator that only moves values, behind which onnxruntime takes the quantizer forward to the node.
 */
function quantizerBehind(node: Node): Node | undefined {
  let user = node.output()?.soleUser;
  while (user && (specOf(user)?.clamp || movesValues(user))) user = user.output()?.soleUser;
  return user?.is('QuantizeLinear') ? user : undefined;
}
