/** Shapes of elementwise operators, products, reductions and what picks the largest. */
import { axisOf, broadcastShapes, first, ofRank, table, type Shape, type ShapeRule } from './rule.ts';
import type { Size } from './size.ts';

const broadcast: ShapeRule = ({ node, dims }) => broadcastShapes(node.inputs.map((_, index) => dims(index)));

const gemm: ShapeRule = ({ node, dims }) => {
  const [a, b] = [dims(0), dims(1)];
  return [a?.[node.int('transA', 0) ? 1 : 0], b?.[node.int('transB', 0) ? 0 : 1]];
};

const product: ShapeRule = ({ dims }) => {
  const [a, b] = [dims(0), dims(1)];
  if (!a || !b || a.length === 0 || b.length === 0) return undefined;
  const batch = broadcastShapes([a.slice(0, -2), b.slice(0, -2)])!;
  return [...batch, ...(a.length > 1 ? [a.at(-2)] : []), ...(b.length > 1 ? [b.at(-1)] : [])];
};

/** Axes: an attribute in old opsets, an input since; none are all, unless the node says otherwise. */
const reduction: ShapeRule = ({ node, dims, ints }) => {
  const x = dims(0);
  const keep = node.int('keepdims', 1) === 1;
  const given = node.input(1) !== undefined || node.attributes.has('axes');
  const axes = given ? ints('axes', 1) : [];
  if (!axes) return keep ? ofRank(x?.length) : undefined;
  if (axes.length === 0) {
    if (node.int('noop_with_empty_axes', 0) === 1) return x;
    return keep ? x?.map(() => 1) : [];
  }
  return x && without(x, axes, keep);
};

const extremum: ShapeRule = ({ node, dims }) => {
  const x = dims(0);
  return x && without(x, [node.int('axis', 0)], node.int('keepdims', 1) === 1);
};

function without(x: readonly Size[], axes: readonly number[], keep: boolean): Shape | undefined {
  const reduced = axes.map((axis) => axisOf(axis, x.length));
  if (reduced.includes(undefined)) return undefined;
  return keep
    ? x.map((size, axis) => (reduced.includes(axis) ? 1 : size))
    : x.filter((_, axis) => !reduced.includes(axis));
}

const topK: ShapeRule = ({ node, dims, vector }) => {
  const x = dims(0);
  const axis = x && axisOf(node.int('axis', -1), x.length);
  const k = node.int('k') ?? vector(1)?.elements[0];
  return axis === undefined ? undefined : x!.map((size, i) => (i === axis ? k : size));
};

const oneHot: ShapeRule = ({ node, dims, vector }) => {
  const x = dims(0);
  const axis = x && axisOf(node.int('axis', -1), x.length + 1);
  return axis === undefined ? undefined : x!.toSpliced(axis, 0, vector(1)?.elements[0] ?? (undefined as never));
};

export const arithmetic = table([
  [
    first,
    'Identity Dropout Relu Clip LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Gelu Mish Softplus Softsign ' +
      'ThresholdedRelu Swish Erf Exp Log Sqrt Reciprocal Neg Abs Sign Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh ' +
      'Asinh Acosh Atanh Not BitwiseNot IsNaN IsInf Softmax LogSoftmax Hardmax BatchNormalization InstanceNormalization ' +
      'LayerNormalization RMSNormalization GroupNormalization LpNormalization MeanVarianceNormalization LRN CumSum Cast ' +
      'CastLike QuantizeLinear DequantizeLinear Shrink PRelu',
  ],
  [
    broadcast,
    'Add Sub Mul Div Mod Pow Min Max Sum Mean And Or Xor BitShift Equal Greater GreaterOrEqual Less LessOrEqual Where',
  ],
  [gemm, 'Gemm'],
  [product, 'MatMul MatMulInteger'],
  [
    reduction,
    'ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp',
  ],
  [extremum, 'ArgMax ArgMin'],
  [topK, 'TopK'],
  [oneHot, 'OneHot'],
]);
