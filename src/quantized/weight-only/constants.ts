/** The constants of the block operators, packed from weights when they are read: those of one node, and those that readers of a table share. */
import type { Value } from '../../graph/value.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Constant, Writer } from '../node-rules.ts';
import { packBlocks, type PackRequest } from './packer.ts';
import { blockFor, type BlockSettings } from './settings.ts';

/**
 * Codes, scales and, unless symmetric, zero points, made of the weights when they are read. Of MatMulNBits: B [N, blocks, blockSize ·
 * bits / 8], scales [N, blocks] and zero points [N, ⌈blocks · bits / 8⌉], the layout of the operator's specification.
 * @param dims of the codes
 */
export function packedConstants(
  request: Omit<PackRequest, 'weights' | 'blockSize' | 'bits' | 'symmetric' | 'hqq'> & { readonly weights: Tensor },
  dims: readonly number[],
  blockSize: number,
  { bits, symmetric, method }: BlockSettings,
): readonly (Constant | undefined)[] {
  const { rows, cols } = request;
  const weights = request.weights.payload();
  const { codes, scales, zeroPoints } = packBlocks({
    ...request,
    weights,
    blockSize,
    bits,
    symmetric,
    hqq: method === 'hqq',
  });
  return [
    { type: 'uint8', dims, data: codes },
    { type: 'float32', dims: [rows, Math.ceil(cols / blockSize)], data: scales },
    zeroPoints && { type: 'uint8', dims: [rows, zeroPoints.byteLength / rows], data: zeroPoints },
  ];
}

/** Codes, scales and zero points of a table: the same for all that read it. */
export function tableConstants(
  table: Value,
  { settings, constants }: Writer<BlockSettings>,
): { readonly block: number; readonly constants: readonly (Value | null)[] } {
  const { bits } = settings.table;
  const [rows, cols] = table.constant!.dims as [number, number];
  const block = blockFor(cols, settings.table);
  const made = constants(table, [`table_Q${bits}`, 'table_scales', 'table_zero_points'], () => {
    const request = { weights: table.constant!, layout: 'rows', rows, cols, padded: false } as const;
    return packedConstants(request, [rows, (cols * bits) / 8], block, { ...settings, bits });
  });
  return { block, constants: made };
}
