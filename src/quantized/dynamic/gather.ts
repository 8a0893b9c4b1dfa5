/**
 * Gather of rows from a constant table (embeddings) → Gather of their s8 codes, then a DequantizeLinear with a scale per column:
 * a few columns of embeddings are far larger than the rest. A table that is also multiplied with has a scale per row (../tied.ts).
 */
import { dequantizeBehind, dequantizeIn } from '../dequantize.ts';
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../../ops/embedding.ts';
import type { DynamicSettings } from './chain.ts';
import { placeTable } from './tied.ts';

export const gather: NodeRule<DynamicSettings> = {
  types: ['Gather'],
  weights: [0],
  refuse: noTable,
  emit(node, writer) {
    const table = node.input(0)!;
    const placed = placeTable(table, writer);
    const axis =
      placed.scale.constant!.dims.length === 0 ? undefined : writer.settings.ties.tables.has(table.name) ? 0 : 1;
    node.setInput(0, dequantizeIn(node.graph!, { ...placed, axis }, table.name));
    dequantizeBehind(node);
  },
};
