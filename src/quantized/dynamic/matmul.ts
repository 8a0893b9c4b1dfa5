/** MatMul and Gemm with constant weights → DynamicQuantizeLinear + MatMulInteger, s8 weights with a scale per column. */
import type { Node } from '../../graph/node.ts';
import { specOf } from '../../ops/index.ts';
import type { NodeRule, Writer } from '../node-rules.ts';
import { backToFloat, placeWeight, quantizeDynamically, type DynamicSettings } from './chain.ts';
import { turned } from '../turned.ts';
import { placeTied } from './tied.ts';

export const matmul: NodeRule<DynamicSettings> = {
  types: ['MatMul'],
  weights: [1],
  refuse: (node) => (node.constant(1)!.dims.length < 2 ? 'its weight is a vector' : undefined),
  emit: (node, writer) => multiply(node, writer, false),
};

export const gemm: NodeRule<DynamicSettings> = {
  types: ['Gemm'],
  weights: [1],
  refuse(node) {
    if (node.int('transA', 0) !== 0) return 'its first operand is transposed (transA = 1), which MatMulInteger cannot';
    // The rule of the static form says the same of alpha, beta and the bias.
    const rule = specOf(node)!.quantize!(node);
    return typeof rule === 'string' ? rule : undefined;
  },
  emit: (node, writer) => multiply(node, writer, node.int('transB', 0) !== 0),
};

function multiply(node: Node, writer: Writer<DynamicSettings>, transposed: boolean): void {
  const weight = node.input(1)!;
  const { axis, layout } = specOf(node)!.weight!(node, weight.constant!.dims.length);
  const form = { axis, layout, ...(transposed ? { arrange: turned } : {}) };
  const placed = placeTied(weight, layout, writer) ?? placeWeight(weight, transposed ? 'T_' : '', form, writer);
  const activation = quantizeDynamically(node.input(0)!, node);
  const product = node.graph!.makeNode(
    'MatMulInteger',
    [activation.codes, placed.codes, activation.zeroPoint, placed.zeroPoint],
    { name: `${node.name || node.output()!.name}_integer` },
  );
  backToFloat(node, product, activation, placed.scale, node.input(2));
}
