/** Gather of rows from a constant table (embeddings) → com.microsoft GatherBlockQuantized: only the rows read are dequantized. */
import { replaceNode } from '../../graph/rewrite.ts';
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../../ops/table.ts';
import { packedConstants } from './matmul.ts';
import { blockFor, type BlockSettings } from './settings.ts';

export const gather: NodeRule<BlockSettings> = {
  types: ['Gather'],
  weights: [0],
  refuse(node, settings) {
    const { dims, name } = node.constant(0)!;
    const partial = (dims.at(-1)! * settings.bits) % 8 !== 0;
    return noTable(node) ?? (partial ? `a row of its table '${name}' does not fill whole bytes` : undefined);
  },
  emit(node, writer) {
    const { settings } = writer;
    const { bits } = settings;
    const table = node.input(0)!;
    const [rows, cols] = table.constant!.dims as [number, number];
    const block = blockFor(cols, settings);
    const [codes, scales, zeroPoints] = writer.constants(
      table,
      [`table_Q${bits}`, 'table_scales', 'table_zero_points'],
      () => {
        const request = { weights: table.constant!, layout: 'rows', rows, cols, padded: false } as const;
        return packedConstants(request, [rows, (cols * bits) / 8], block, settings);
      },
    );
    const inputs = [codes!, node.input(1)!, scales!, ...(zeroPoints ? [zeroPoints] : [])];
    const replacement = node.graph!.makeNode('GatherBlockQuantized', inputs, {
      name: node.name,
      domain: 'com.microsoft',
      outputs: [],
    });
    replacement.setInt('bits', bits);
    replacement.setInt('block_size', block);
    replacement.setInt('gather_axis', 0);
    replacement.setInt('quantize_axis', 1);
    replaceNode(node, replacement);
  },
};
