/** Gather of rows from a constant table (embeddings) → com.microsoft GatherBlockQuantized: only the rows read are dequantized. */
import { replaceNode } from '../../graph/rewrite.ts';
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../../ops/embedding.ts';
import { tableConstants } from './constants.ts';
import type { BlockSettings } from './settings.ts';

export const gather: NodeRule<BlockSettings> = {
  types: ['Gather'],
  weights: [0],
  refuse(node, settings) {
    const { dims, name } = node.constant(0)!;
    const partial = (dims.at(-1)! * settings.table.bits) % 8 !== 0;
    return noTable(node) ?? (partial ? `a row of its table '${name}' does not fill whole bytes` : undefined);
  },
  emit(node, writer) {
    const { bits } = writer.settings.table;
    const { block, constants } = tableConstants(node.input(0)!, writer);
    const [codes, scales, zeroPoints] = constants;
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
