/**
 * Codes narrower than their container: limited between QuantizeLinear and DequantizeLinear. 8-bit codes by Clip, the form
 * that PyTorch exports and other tools import; onnxruntime has no Clip on 16 bits, so those go through int32.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataType, type DataTypeName } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { codes, type IntegerType } from '../quantized/params.ts';
import { containerBits, type CodeLimits } from './widths.ts';

/** Puts the limits behind a QuantizeLinear; whatever read its codes reads limited ones. */
export function clampCodes(quantize: Node, type: IntegerType, { qmin, qmax }: CodeLimits): void {
  const graph = quantize.graph!;
  const output = quantize.output()!;
  const wide = containerBits(type) === 16;
  const name = quantize.name || output.name;
  const chain = wide ? ['Cast', 'Clip', 'Cast'] : ['Clip'];
  const typeOf = (step: number): DataTypeName => (wide && step < 2 ? 'int32' : type);
  const nodes = chain.map((op, step) => {
    const node = graph.makeNode(op, [null], { outputs: [`${name}_${op}_Output`] });
    // The second of a kind has a numbered output; its node gets the same number.
    node.name = node.output()!.name.replace(/_Output(?=(_\d+)?$)/, '');
    if (op === 'Cast') node.setInt('to', dataType(typeOf(step)).code);
    else [qmin, qmax].forEach((limit, i) => node.setInput(i + 1, limitValue(graph, typeOf(step), limit)));
    node.output()!.setType(dataType(typeOf(step)).code, output.dims);
    return node;
  });
  graph.replaceUses(output, nodes.at(-1)!.output()!);
  let before = quantize;
  for (const node of nodes) {
    node.setInput(0, before.output()!);
    graph.insertAfter(node, before);
    before = node;
  }
}

/** One constant per limit in the main graph, where every body can read it. */
function limitValue(graph: Graph, type: DataTypeName, limit: number): Value {
  let root = graph;
  while (root.owner?.graph) root = root.owner.graph;
  const name = `${type}_limit_${limit < 0 ? `minus_${-limit}` : limit}`;
  const known = root.values.get(name);
  if (known?.constant?.size === 1 && known.type === type) return known;
  const data = type === 'int32' ? Int32Array.of(limit) : codes(type as IntegerType, 1).fill(limit);
  return root.addInitializer(Tensor.of(name, type, [], data));
}
