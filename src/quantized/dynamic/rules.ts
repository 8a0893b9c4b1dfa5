/**
 * The operators of dynamic quantization without a state:
 *
 *   MatMul, Gemm  → DynamicQuantizeLinear + MatMulInteger, s8 weights with a scale per column
 *   Attention     → com.microsoft QAttention: the product with the weights of Q, K and V in int8, attention itself in float
 *   Gather        → Gather of s8 codes of a constant table (embeddings), then a DequantizeLinear
 *   Conv          → DynamicQuantizeLinear + ConvInteger
 */
import type { Node } from '../../graph/node.ts';
import { replaceNode } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { specOf } from '../../ops/index.ts';
import { noTable } from '../../ops/embedding.ts';
import { dequantizeBehind, dequantizeIn, turned } from '../dequantize.ts';
import type { NodeRule, Writer } from '../node-rules.ts';
import { backToFloat, placeWeight, quantizeDynamically, type DynamicSettings } from './chain.ts';

import { placeTable, placeTied } from './tied.ts';

/** The weight is a constant of two dimensions or more. */
export const matmul: NodeRule<DynamicSettings> = {
  types: ['MatMul'],
  weights: [1],
  refuse: (node) => (node.constant(1)!.dims.length < 2 ? 'its weight is a vector' : undefined),
  emit: (node, writer) => multiply(node, writer, false),
};

/** What alpha, beta and the bias may be is for the static rule to say. */
export const gemm: NodeRule<DynamicSettings> = {
  types: ['Gemm'],
  weights: [1],
  refuse(node) {
    if (node.int('transA', 0) !== 0) return 'its first operand is transposed (transA = 1), which MatMulInteger cannot';
    // The rule of static quantization says the same of alpha, beta and the bias.
    const rule = specOf(node)!.quantize!(node);
    return typeof rule === 'string' ? rule : undefined;
  },
  emit: (node, writer) => multiply(node, writer, node.int('transB', 0) !== 0),
};

function multiply(node: Node, writer: Writer<DynamicSettings>, transposed: boolean): void {
  const weight = node.input(1)!;
  const { axis, layout } = specOf(node)!.weight!(node, weight.constant!.dims.length);
  const arrangement = { axis, layout, ...(transposed ? { arrange: turned } : {}) };
  const placed = placeTied(weight, layout, writer) ?? placeWeight(weight, transposed ? 'T_' : '', arrangement, writer);
  const activation = quantizeDynamically(node.input(0)!, node);
  const product = node.graph!.makeNode(
    'MatMulInteger',
    [activation.codes, placed.codes, activation.zeroPoint, placed.zeroPoint],
    { name: `${node.name || node.output()!.name}_integer` },
  );
  backToFloat(node, product, activation, placed.scale, node.input(2));
}

/** Attributes that QAttention has too. */
const shared = ['num_heads', 'unidirectional', 'mask_filter_value', 'do_rotary', 'past_present_share_buffer'];

/** QAttention takes fewer inputs and attributes than Attention: what it lacks is refused. */
export const attention: NodeRule<DynamicSettings> = {
  types: ['Attention'],
  domain: 'com.microsoft',
  weights: [1],
  refuse(node) {
    if (!node.input(2)) return 'QAttention needs a bias';
    if (node.input(5)) return 'QAttention has no attention bias';
    if (node.input(6)) return 'QAttention has no buffer shared by past and present';
    const other = [...node.attributes.keys()].find((name) => !shared.includes(name));
    return other === undefined ? undefined : `QAttention has no attribute '${other}'`;
  },
  emit(node, writer) {
    const placed = placeWeight(node.input(1)!, '', { axis: 1, layout: 'columns' }, writer);
    const activation = quantizeDynamically(node.input(0)!, node);
    const inputs = [activation.codes, placed.codes, node.input(2)!, activation.scale, placed.scale];
    const rest = [node.input(3) ?? null, activation.zeroPoint, placed.zeroPoint, node.input(4) ?? null];
    while (rest[rest.length - 1] === null) rest.pop();
    const replacement = node.graph!.makeNode('QAttention', [...inputs, ...rest], {
      name: node.name,
      domain: 'com.microsoft',
      outputs: [],
    });
    for (const [name, attribute] of node.attributes) replacement.attributes.set(name, attribute);
    replaceNode(node, replacement);
  },
};

/**
 * A table has a scale per column, because a few columns of embeddings are far larger than the rest; one that is also multiplied with
 * has a scale per row (../tied.ts).
 */
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

/**
 * onnxruntime's ConvInteger is a plain im2col without fusion: slower than the float kernel on every convolution measured, so only where
 * --include asks for it.
 */
export const conv: NodeRule<DynamicSettings> = {
  types: ['Conv'],
  weights: [1],
  optional: () => "onnxruntime's ConvInteger is slower than its float Conv: use --format qdq (--include asks for it)",
  refuse: (node) => (node.input(2) && !node.constant(2) ? 'its bias is computed at run time' : undefined),
  emit(node, writer) {
    const weight = node.input(1)!;
    const spatial = weight.constant!.dims.length - 2;
    const perChannel = (channels: number): number[] => [channels, ...Array.from({ length: spatial }, () => 1)];
    const scaleDims = (channels: number): number[] => (channels === 1 ? [] : perChannel(channels));
    const placed = placeWeight(weight, '', { axis: 0, layout: 'conv', scaleDims }, writer);
    const activation = quantizeDynamically(node.input(0)!, node);
    // Symmetric s8 weights have zero point 0, the default; u8 ones have one for all channels.
    const zero = writer.constant(weight, 'zero', () => ({
      type: placed.zeroPoint.constant!.type.name,
      dims: [],
      data: placed.zeroPoint.constant!.data().slice(0, 1),
    }));
    const product = node.graph!.makeNode('ConvInteger', [activation.codes, placed.codes, activation.zeroPoint, zero], {
      name: `${node.name || node.output()!.name}_integer`,
    });
    for (const [name, attribute] of node.attributes) product.attributes.set(name, attribute);
    backToFloat(node, product, activation, placed.scale, biasOf(node.input(2)));

    function biasOf(bias: Value | undefined): Value | undefined {
      return (
        bias &&
        writer.constant(bias, 'channels', () => {
          const data = bias.constant!.floats();
          return { type: 'float32', dims: perChannel(data.length), data };
        })
      );
    }
  },
};
