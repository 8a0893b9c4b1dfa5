/**
 * Gather of rows from a constant table (embeddings) → Gather of their s8 codes, then a DequantizeLinear with a scale per column:
 * a few columns of embeddings are far larger than the rest.
 */
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../table.ts';
import { placeWeight, type DynamicSettings } from './chain.ts';

export const gather: NodeRule<DynamicSettings> = {
  types: ['Gather'],
  weights: [0],
  refuse: noTable,
  emit(node, writer) {
    const graph = node.graph!;
    const output = node.output()!;
    const { codes, scale, zeroPoint } = placeWeight(node.input(0)!, 'table_', { axis: 1 }, writer);
    node.setInput(0, codes);
    const picked = graph.addValue(`${output.name}_quantized`);
    node.setOutput(0, picked);
    const dequantize = graph.makeNode('DequantizeLinear', [picked, scale, zeroPoint], {
      name: `${output.name}_DequantizeLinear`,
      outputs: [],
    });
    if (scale.constant!.dims.length === 1) dequantize.setInt('axis', -1);
    graph.insertAfter(dequantize, node);
    dequantize.setOutput(0, output);
  },
};
