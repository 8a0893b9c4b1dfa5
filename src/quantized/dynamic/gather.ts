/**
 * Gather of rows from a constant table (embeddings) → Gather of their s8 codes, then a DequantizeLinear with a scale per column:
 * a few columns of embeddings are far larger than the rest.
 */
import { dequantizeBehind, dequantizeIn } from '../dequantize.ts';
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../../ops/table.ts';
import { placeWeight, type DynamicSettings } from './chain.ts';

export const gather: NodeRule<DynamicSettings> = {
  types: ['Gather'],
  weights: [0],
  refuse: noTable,
  emit(node, writer) {
    const table = node.input(0)!;
    const { codes, scale, zeroPoint } = placeWeight(table, 'table_', { axis: 1, layout: 'table' }, writer);
    const axis = scale.constant!.dims.length === 1 ? 1 : undefined;
    node.setInput(0, dequantizeIn(node.graph!, { codes, scale, zeroPoint, axis }, table.name));
    dequantizeBehind(node);
  },
};
