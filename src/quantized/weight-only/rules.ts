/**
 * The operators of weight-only quantization:
 *
 *   MatMul, Gemm          → com.microsoft MatMulNBits, whose weights lie in blocks along the reduction
 *   Gather                → com.microsoft GatherBlockQuantized of a constant table (embeddings): only the rows read are dequantized
 *   Conv, ConvTranspose   s8 weights behind a DequantizeLinear, a quarter of the size
 *
 * The constants of the block operators are packed from weights when they are read.
 */
import type { Node } from '../../graph/node.ts';
import { replaceNode } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { specOf } from '../../ops/index.ts';
import { matrixOf, noTable } from '../../ops/embedding.ts';
import { dequantizeIn, placeCodes } from '../dequantize.ts';
import type { Constant, NodeRule, Writer } from '../node-rules.ts';
import { codes } from '../quant-params.ts';
import { quantizeWeights, weightScales } from '../weights.ts';
import { blockFor, type BlockBits, type BlockSettings } from './blocks.ts';
import { packBlocks, type PackRequest } from './packer.ts';

/** The weight is a matrix [K, N], or a Transpose of [N, K]. */
export const matmul: NodeRule<BlockSettings> = {
  types: ['MatMul'],
  weights: [1],
  turned: true,
  refuse: (node) => notMatrix(matrixOf(node, 1)!.value.constant!),
  emit: (node, writer) => emitMatMulNBits(node, writer, false),
};

/** alpha and beta must be 1, and the bias a constant per column. */
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

/** @param rows true when the weight is read as [N, K], false for [K, N]: a Transpose between turns that round */
function emitMatMulNBits(node: Node, writer: Writer<BlockSettings>, rows: boolean): void {
  const { settings } = writer;
  const { value: weight, turned } = matrixOf(node, 1)!;
  const inRows = rows !== turned;
  const tensor = weight.constant!;
  const [n, k] = (inRows ? tensor.dims : [...tensor.dims].reverse()) as [number, number];
  const { bits, block, constants } = (inRows && fromTable(weight, writer)) || ofItsOwn(weight, inRows, n, k, writer);
  const [codes, scales, zeroPoints] = constants;
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
  replacement.setInt('bits', bits);
  replacement.setInt('block_size', block);
  replacement.setInt('accuracy_level', settings.accuracyLevel);
  replaceNode(node, replacement);
}

/** Codes [N, blocks, blockSize · bits / 8], scales and zero points, as MatMulNBits takes them. */
interface Blocks {
  readonly bits: BlockBits;
  readonly block: number;
  readonly constants: readonly (Value | null)[];
}

/**
 * The blocks of a tied table, whose rows an embedding picks: the bytes of the two operators differ by nothing but a dimension, if rows are whole
 * blocks. onnxruntime computes the Reshape once, when it loads the model.
 */
function fromTable(weight: Value, writer: Writer<BlockSettings>): Blocks | undefined {
  const { bits } = writer.settings.table;
  const [n, k] = weight.constant!.dims as [number, number];
  if (!writer.readersOf(weight).includes('Gather') || k % blockFor(k, writer.settings.table) > 0) return undefined;
  const { block, constants } = tableConstants(weight, writer);
  const [codes, ...rest] = constants;
  const dims = [n, k / block, (block * bits) / 8];
  const inBlocks = [...codes!.users.keys()].find((user) => user.is('Reshape')) ?? reshape(codes!, weight.name, dims);
  return { bits, block, constants: [inBlocks.output()!, ...rest] };
}

function reshape(codes: Value, name: string, dims: readonly number[]): Node {
  const { graph } = codes;
  const shape = Tensor.of(`${name}_blocks`, 'int64', [dims.length], BigInt64Array.from(dims, BigInt));
  return graph.prepend(graph.makeNode('Reshape', [codes, graph.addInitializer(shape)], { name: `${name}_in_blocks` }));
}

/** Blocks of a matrix that no table shares. */
function ofItsOwn(
  weight: Value,
  rows: boolean,
  n: number,
  k: number,
  { settings, constants }: Writer<BlockSettings>,
): Blocks {
  const block = blockFor(k, settings);
  const suffix = rows ? '' : '_T';
  const keys = [`Q${settings.bits}${suffix}`, `scales${suffix}`, `zero_points${suffix}`];
  const layout = rows ? 'rows' : 'columns';
  const dims = [n, Math.ceil(k / block), (block * settings.bits) / 8];
  const made = constants(weight, keys, () => {
    const request = { weights: weight.constant!, layout, rows: n, cols: k, padded: true } as const;
    return packedConstants(request, dims, block, settings);
  });
  return { bits: settings.bits, block, constants: made };
}

/** The rows of a table must fill whole bytes. */
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

/** onnxruntime dequantizes these weights at every run and computes in float: for size alone, so only where --include asks for it. */
export const conv: NodeRule<BlockSettings> = {
  types: ['Conv', 'ConvTranspose'],
  weights: [1],
  optional: () => 'stored in 8 bits it would be dequantized at every run: smaller, not faster (--include asks for it)',
  refuse: () => undefined,
  emit(node) {
    const weight = node.input(1)!;
    const { axis, layout } = specOf(node)!.weight!(node, weight.constant!.dims.length);
    const scales = weightScales(weight.constant!, { type: 'int8', axis, range: 'full', layout });
    const tensor = quantizeWeights(weight.constant!, scales, `${weight.name}_quantized`);
    const zeros = codes('int8', scales.scales.length);
    const placed = placeCodes(weight.graph, tensor, scales.scales, zeros, axis);
    node.setInput(1, dequantizeIn(node.graph!, placed, weight.name));
  },
};

/**
 * Makes codes, scales and, unless symmetric, zero points of the weights when they are read. Of MatMulNBits: B [N, blocks, blockSize ·
 * bits / 8], scales [N, blocks] and zero points [N, ⌈blocks · bits / 8⌉], the layout of the operator's specification.
 * @param dims of the codes
 */
function packedConstants(
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

/** Makes codes, scales and zero points of a table: the same for all that read it. */
function tableConstants(
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
