/** MatMul and Gemm with a constant matrix → com.microsoft MatMulNBits, whose weights lie in blocks along the reduction. */
import type { Node } from '../../graph/node.ts';
import { replaceNode } from '../../graph/rewrite.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Constant, NodeRule, Writer } from '../node-rules.ts';
import { packBlocks, type PackRequest } from './packer.ts';
import { blockFor, type BlockSettings } from './settings.ts';

export const matmul: NodeRule<BlockSettings> = {
  types: ['MatMul'],
  weights: [1],
  refuse: (node) => notMatrix(node.constant(1)!),
  emit: (node, writer) => emitMatMulNBits(node, writer, false),
};

export const gemm: NodeRule<BlockSettings> = {
  types: ['Gemm'],
  weights: [1],
  refuse(node) {
    if (node.int('transA', 0) !== 0) return 'its first operand is transposed (transA = 1)';
    for (const name of ['alpha', 'beta']) {
      if (node.float(name, 1) !== 1) return `its ${name} is ${node.float(name)}, not 1`;
    }
    if (node.input(2)) {
      const bias = node.constant(2);
      const columns = node.constant(1)!.dims[node.int('transB', 0) === 0 ? 1 : 0];
      if (!bias) return 'its bias is computed at run time';
      if (bias.size !== columns || bias.dims.length !== 1)
        return `its bias of shape [${bias.dims.join(', ')}] is not one value per column`;
    }
    return notMatrix(node.constant(1)!);
  },
  emit: (node, writer) => emitMatMulNBits(node, writer, node.int('transB', 0) !== 0),
};

function notMatrix({ dims, name }: Tensor): string | undefined {
  return dims.length === 2
    ? undefined
    : `its weight '${name}' has ${dims.length} dimensions; block kernels take matrices`;
}

/** @param rows true when the weight is [N, K] already, false for [K, N] */
function emitMatMulNBits(node: Node, writer: Writer<BlockSettings>, rows: boolean): void {
  const { settings } = writer;
  const weight = node.input(1)!;
  const tensor = weight.constant!;
  const [n, k] = (rows ? tensor.dims : [...tensor.dims].reverse()) as [number, number];
  const block = blockFor(k, settings);
  const suffix = rows ? '' : '_T';
  const [codes, scales, zeroPoints] = writer.constants(
    weight,
    [`Q${settings.bits}${suffix}`, `scales${suffix}`, `zero_points${suffix}`],
    () => matrixConstants(tensor, rows, n, k, block, settings),
  );
  const bias = node.input(2);
  const inputs = [node.input(0)!, codes!, scales!, zeroPoints ?? null, null, bias ?? null];
  while (inputs[inputs.length - 1] === null) inputs.pop();
  const replacement = node.graph!.makeNode('MatMulNBits', inputs, {
    name: node.name,
    domain: 'com.microsoft',
    outputs: [],
  });
  replacement.setInt('K', k);
  replacement.setInt('N', n);
  replacement.setInt('bits', settings.bits);
  replacement.setInt('block_size', block);
  replacement.setInt('accuracy_level', settings.accuracyLevel);
  replaceNode(node, replacement);
}

function matrixConstants(
  tensor: Tensor,
  rows: boolean,
  n: number,
  k: number,
  block: number,
  settings: BlockSettings,
): readonly (Constant | undefined)[] {
  const dims = [n, Math.ceil(k / block), (block * settings.bits) / 8];
  return packedConstants(
    { weights: tensor, layout: rows ? 'rows' : 'columns', rows: n, cols: k, padded: true },
    dims,
    block,
    settings,
  );
}

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
