/** Gather of rows from a constant table (embeddings) → com.microsoft GatherBlockQuantized: only the rows read are dequantized. */
import { replaceNode } from '../../graph/rewrite.ts';
import type { NodeRule } from '../node-rules.ts';
import { noTable } from '../../ops/table.ts';
import { packCodes } from './blocks.ts';
import { blocksOf, packedConstants } from './matmul.ts';
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
        if (settings.method === 'rtn') {
          const request = { weights: table.constant!, layout: 'rows', rows, cols, padded: false } as const;
          return packedConstants(request, [rows, (cols * bits) / 8], block, settings);
        }
        const made = blocksOf(table.constant!.floats(), rows, cols, block, settings);
        const blocks = Math.ceil(cols / block);
        const zeros = made.zeroPoints && packCodes(made.zeroPoints, rows, bits);
        return [
          {
            type: 'uint8',
            dims: [rows, (cols * bits) / 8],
            data: packCodes(unpadded(made.codes, rows, cols), rows, bits),
          },
          { type: 'float32', dims: [rows, blocks], data: made.scales },
          zeros && { type: 'uint8', dims: [rows, zeros.length / rows], data: zeros },
        ];
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

/** Rows without what pads their last block: here rows lie as they are long. */
function unpadded(codes: Uint8Array, rows: number, cols: number): Uint8Array {
  const stride = codes.length / rows;
  if (stride === cols) return codes;
  const out = new Uint8Array(rows * cols);
  for (let row = 0; row < rows; row++) out.set(codes.subarray(row * stride, row * stride + cols), row * cols);
  return out;
}
