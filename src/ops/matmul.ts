/** Products of matrices: MatMul (constant weights on the right, or two activations, as in attention) and Gemm. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dyOf, give, giveBroadcast, type GradientContext, staticDims } from './gradient/context.ts';
import type { Operand, OpSpec } from './op.ts';
import { elementCount } from '../onnx/data-types.ts';

function matmulWeight(_node: Node, rank: number): Operand {
  return rank === 2 ? { index: 1, role: 'weight', axis: 1, layout: 'columns' } : { index: 1, role: 'weight' };
}

/** MatMul: a constant matrix on the right is a weight with a scale per column; any other constant has one scale. */
export const matmul: OpSpec = {
  types: ['MatMul'],
  weight: matmulWeight,
  learnable: () => [0, 1],
  quantize(node: Node) {
    const constant = node.constant(1);
    return {
      kind: 'anchor',
      operands: [
        { index: 0, role: 'activation' },
        constant ? matmulWeight(node, constant.dims.length) : { index: 1, role: 'activation' },
      ],
      output: { kind: 'observe' },
      floatOutput: true,
    };
  },
  /** dA = dy·Bᵀ, dB = Aᵀ·dy, summed over the batch axes along which the operand was repeated. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [a, b] = [node.input(0)!, node.input(1)!];
    const [aDims, bDims, dims] = [staticDims(a), staticDims(b), staticDims(node.output()!)];
    // A vector is a matrix of one row (left) or one column (right) whose axis is dropped from the result.
    const [left, right] = [aDims.length === 1 ? [1, ...aDims] : aDims, bDims.length === 1 ? [...bDims, 1] : bDims];
    const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
    const batch = dims.slice(0, dims.length - Number(aDims.length > 1) - Number(bDims.length > 1));
    const full = [...batch, m, n];
    const shaped = (value: Value, from: readonly number[], to: readonly number[]): Value => {
      return from.length === to.length ? value : emit.reshape(value, to);
    };
    const dy = (): Value => shaped(dyOf(context), dims, full);
    give(context, 0, () => {
      const other = emit.swapLast(shaped(b, bDims, right), right.length);
      const gradient = emit.unbroadcast(emit.op('MatMul', [dy(), other]), [...batch, m, k], left);
      return shaped(gradient, left, aDims);
    });
    give(context, 1, () => {
      // A weight matrix for many rows: one long product instead of many short ones and their sum.
      if (right.length === 2 && batch.length > 0 && left.length === full.length) {
        const rows = elementCount(batch) * m;
        const [x, flat] = [emit.reshape(a, [rows, k]), emit.reshape(dy(), [rows, n])];
        return shaped(emit.op('Gemm', [x, flat], { transA: 1 }), right, bDims);
      }
      const other = emit.swapLast(shaped(a, aDims, left), left.length);
      const gradient = emit.unbroadcast(emit.op('MatMul', [other, dy()]), [...batch, k, n], right);
      return shaped(gradient, right, bDims);
    });
  },
};

function gemmWeight(node: Node): Operand {
  const transposed = node.int('transB', 0) !== 0;
  return { index: 1, role: 'weight', axis: transposed ? 0 : 1, layout: transposed ? 'rows' : 'columns' };
}

/** Gemm: A in u8 (transposed or not), constant B in s8 with a scale per output column, constant C as int32 bias. */
export const gemm: OpSpec = {
  types: ['Gemm'],
  weight: gemmWeight,
  learnable: () => [1, 2],
  quantize(node: Node) {
    const matrix = node.constant(1);
    if (!matrix) return 'its weight is computed at run time';
    if (node.float('alpha', 1) !== 1) return `its alpha is ${node.float('alpha')}, not 1`;
    const operands: Operand[] = [{ index: 0, role: 'activation' }, gemmWeight(node)];
    if (node.input(2)) {
      const bias = node.constant(2);
      if (!bias) return 'its bias is computed at run time';
      if (node.float('beta', 1) !== 1) return `its beta is ${node.float('beta')}, not 1`;
      if (bias.size !== matrix.dims[operands[1]!.axis!]) {
        return `its bias of shape [${bias.dims.join(', ')}] is not one value per column`;
      }
      operands.push({ index: 2, role: 'bias' });
    }
    return { kind: 'anchor', operands, output: { kind: 'observe' }, floatOutput: true };
  },
  /** y = α·A'·B' + β·C, where ' transposes or does not: dA' = α·dy·B'ᵀ, dB' = α·A'ᵀ·dy, dC = β·Σ dy. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const [a, b, dy] = [node.input(0)!, node.input(1)!, dyOf(context)];
    const [transA, transB] = [node.int('transA', 0), node.int('transB', 0)];
    const alpha = { float: node.float('alpha', 1) };
    const product = (left: Value, right: Value, transLeft: number, transRight: number): Value => {
      return emit.op('Gemm', [left, right], { alpha, transA: transLeft, transB: transRight });
    };
    give(context, 0, () => (transA ? product(b, dy, transB, 1) : product(dy, b, 0, 1 - transB)));
    give(context, 1, () => (transB ? product(dy, a, 1, transA) : product(a, dy, 1 - transA, 0)));
    const beta = node.float('beta', 1);
    giveBroadcast(context, 2, () => (beta === 1 ? dy : emit.op('Mul', [dy, emit.scalar(beta)])));
  },
};
