/**
 * The arithmetic of BatchNormalization in training: normalizing with the statistics of the batch, and the factors by which folding
 * multiplies the weight of the layer before it. The statistics are computed by plain operators, whose gradients are known:
 * onnxruntime's own training mode writes running statistics into the constants of the graph.
 */
import type { Node } from '../graph/node.ts';
import { qatErrors } from '../errors/qat.ts';
import { axesBut, channelShape, Emitter } from '../graph/emitter.ts';
import { forward } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';
import { staticDims } from '../ops/gradient/context.ts';
import { normalize } from '../ops/normalization.ts';

/** What a batch shows of each channel. */
interface BatchStatistics {
  /** Of this batch, [channels]. */
  readonly mean: Value;
  /** Biased, as it normalizes, [channels]; unbiased it is `count / (count - 1)` times that. */
  readonly variance: Value;
  /** Elements per channel. */
  readonly count: number;
}

/**
 * Puts plain operators in the place of a BatchNormalization. The trainer updates the running statistics from those that are
 * returned. Shapes must have been traced, and must be traced again before the graph is differentiated.
 * @throws QAT_SHAPE; QAT_BATCH_NORM when the running statistics that the node computes are read
 */
export function liveBatchNorm(node: Node): BatchStatistics {
  const graph = node.graph!;
  const read = node.outputs.slice(1).find((value) => value && value.useCount > 0);
  if (read) throw qatErrors.batchNormOutput(node.label, read.name);
  const [x, gamma, beta] = node.inputs as [Value, Value, Value];
  const dims = staticDims(x);
  const emit = new Emitter(graph, node.label, node);
  const channels = dims[1]!;
  const count = elementCount(dims) / channels;
  const axes = axesBut(dims.length, 1);
  const { normal, mean, variance } = normalize(emit, x, axes, count, node.float('epsilon', 1e-5));
  const column = (value: Value): Value => emit.reshape(value, channelShape(dims.length, 1, channels));
  const result = emit.op('Add', [emit.op('Mul', [normal, column(gamma)]), column(beta)]);
  const statistics = { mean: emit.reshape(mean, [channels]), variance: emit.reshape(variance, [channels]), count };
  forward(node.output()!, result);
  graph.remove(node);
  return statistics;
}

/** The axis of the output channels in the weight of a layer; undefined when they have none of their own. */
export function outputAxis(node: Node): number | undefined {
  if (node.is('Conv')) return 0;
  if (node.is('ConvTranspose')) return node.int('group', 1) === 1 ? 1 : undefined;
  return node.int('transB', 0) === 0 ? 1 : 0;
}

/**
 * The gain of each channel, gamma / √(variance + epsilon), by which folding multiplies the weight: float32, rounded after each
 * operation, as onnxruntime computes it.
 */
export function gainsOf(norm: {
  readonly gamma: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}): Float32Array {
  const epsilon = Math.fround(norm.epsilon);
  return norm.gamma.map((gamma, i) => gamma / Math.fround(Math.sqrt(Math.fround(norm.variance[i]! + epsilon))));
}

/** Writes to `out` each channel of `values` times (or, inverse, divided by) its factor. */
export function scaleChannels(
  values: Float32Array,
  dims: readonly number[],
  axis: number,
  factors: Float32Array,
  out: Float32Array,
  inverse = false,
): Float32Array {
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let start = 0, block = 0; start < values.length; start += inner, block++) {
    const factor = factors[block % factors.length]!;
    for (let i = start; i < start + inner; i++) out[i] = inverse ? values[i]! / factor : values[i]! * factor;
  }
  return out;
}
