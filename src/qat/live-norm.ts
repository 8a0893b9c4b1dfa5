/**
 * Folded BatchNormalization, taken apart for training and put together again. With the weight W, gamma and beta as parameters
 * and the gain g = gamma / √(running variance + epsilon), as in PyTorch's intrinsic.qat.ConvBn2d:
 *   batch statistics:    y = BN_batch(conv(x, fakeQuantize(W · g)) / g)
 *   running statistics:  y = conv(x, fakeQuantize(W · g)) + (beta − running mean · g)
 * The second is the folded layer, so that what is trained is always what will run. Statistics are parameters of their own kind at the end
 * of the flat array, whose "gradient" is what the batch shows: checkpoints and workers hold them without knowing.
 */
import { qatErrors } from '../errors/qat.ts';
import { copyModel } from '../graph/from-proto.ts';
import { channelShape, Emitter } from '../graph/emitter.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { liveBatchNorm, gainsOf, outputAxis, scaleChannels } from './batch-norm.ts';
import { fakeQuantAt } from './fake-quant.ts';
import type { NormRecord, NotLive } from './norm-record.ts';
import { totalLength, type Parameter } from './parameters.ts';

/** What a live BatchNormalization normalizes with. */
export type Statistics = 'batch' | 'running';

/** Names of what only training knows. */
const names = (weight: string): Record<'gamma' | 'mean' | 'variance' | 'grid', string> => ({
  gamma: `${weight}/gamma`,
  mean: `${weight}/running_mean`,
  variance: `${weight}/running_variance`,
  grid: `${weight}/bias_grid`,
});

/** The tensors of a live layer, by name: what training knows of it. */
function partsOf({ weight, bias }: NormRecord): readonly string[] {
  const { gamma, mean, variance, grid } = names(weight);
  return [weight, bias, gamma, mean, variance, grid];
}

/** The layer that multiplies this weight, behind its fake quantizer or without one. */
function layerOf(graph: Graph, { weight }: NormRecord): Node | undefined {
  const value = graph.values.get(weight);
  const reader = value?.isConstant ? value.soleUser : undefined;
  const layer = reader?.is('QuantizeLinear') ? fakeQuantAt(reader)?.dequantize[0]?.output()?.soleUser : reader;
  return layer?.is('Conv', 'ConvTranspose', 'Gemm') ? layer : undefined;
}

/**
 * A copy of the model in which weights are W, biases beta, and gamma and the running statistics constants of their own. It is
 * where training starts from, and no model to run.
 */
export function unfoldNorms(
  source: Model,
  records: readonly NormRecord[],
): { model: Model; norms: NormRecord[]; folded: NotLive[] } {
  const model = copyModel(source);
  const { graph } = model;
  const norms: NormRecord[] = [];
  const folded: NotLive[] = [];
  for (const record of records) {
    const layer = layerOf(graph, record);
    const axis = layer && outputAxis(layer);
    const [weight, bias] = [graph.values.get(record.weight), graph.values.get(record.bias)];
    const gains = gainsOf(record);
    const usable = gains.every((gain) => gain !== 0 && Number.isFinite(gain));
    if (axis === undefined || layer!.input(2) !== bias || bias!.constant?.size !== gains.length || !usable) {
      folded.push({ node: record.weight, reason: usable ? 'its layer was changed since' : 'a scale is 0' });
      continue;
    }
    const { dims } = weight!.constant!;
    const values = Float32Array.from(weight!.constant!.floats());
    weight!.initializer = tensor(record.weight, dims, scaleChannels(values, dims, axis, gains, values, true));
    const betas = Float32Array.from(bias!.constant!.floats(), (b, i) => b + record.mean[i]! * gains[i]!);
    bias!.initializer = tensor(record.bias, [betas.length], betas);
    const own = names(record.weight);
    for (const part of ['gamma', 'mean', 'variance'] as const)
      graph.addInitializer(tensor(own[part], [gains.length], record[part]));
    graph.addInitializer(tensor(own.grid, [gains.length], new Float32Array(gains.length)));
    norms.push(record);
  }
  return { model, norms, folded };
}

function tensor(name: string, dims: readonly number[], data: Float32Array): Tensor {
  return Tensor.of(name, 'float32', [...dims], data);
}

/** What training adds to the parameters: gamma, which is learned, and running statistics, which follow the batches. */
export function normParameters(norms: readonly NormRecord[], before: readonly Parameter[]): Parameter[] {
  let offset = totalLength(before);
  const place = (name: string, length: number, rest: Pick<Parameter, 'kind' | 'momentum'>): Parameter => {
    const parameter = { name, dims: [length], offset, length, ...rest };
    offset += length;
    return parameter;
  };
  const gammas = norms.map(({ weight, gamma }) => place(names(weight).gamma, gamma.length, { kind: 'bias' }));
  const statistics = norms.flatMap(({ weight, gamma, momentum }) => {
    const { mean, variance, grid } = names(weight);
    const statistic = (name: string, keeps: number): Parameter =>
      place(name, gamma.length, { kind: 'statistic', momentum: keeps });
    return [statistic(mean, momentum), statistic(variance, momentum), statistic(grid, 1)];
  });
  return [...gammas, ...statistics];
}

/**
 * Rewrites the layers of a training graph, whose parameters are inputs and whose shapes are traced. Returns the values that
 * the running statistics move towards, by the name of the statistic: of the batch, the variance unbiased as in PyTorch.
 */
export function enliven(graph: Graph, norms: readonly NormRecord[], statistics: Statistics): Map<string, Value> {
  const seen = new Map<string, Value>();
  for (const record of norms) {
    const own = names(record.weight);
    const parts = partsOf(record).map((name) => graph.values.get(name)!);
    const [weight, beta, gamma, mean, variance, grid] = parts as [Value, Value, Value, Value, Value, Value];
    const reader = weight.soleUser!;
    const layer = reader.is('QuantizeLinear') ? fakeQuantAt(reader)!.dequantize[0]!.output()!.soleUser! : reader;
    const { dims } = weight;
    const rank = dims!.length;
    const emit = new Emitter(graph, `${layer.label}/batch-norm`, reader);
    const deviation = emit.op('Sqrt', [emit.op('Add', [variance, emit.scalar(record.epsilon)])]);
    const gain = emit.op('Div', [gamma, deviation]);
    const channels = record.gamma.length;
    const scaled = emit.op('Mul', [weight, emit.reshape(gain, channelShape(rank, outputAxis(layer)!, channels))]);
    reader.setInput(reader.inputs.indexOf(weight), scaled);
    scaled.setType(dataType('float32').code, dims);
    if (statistics === 'running') {
      emit.anchor = layer;
      const folded = emit.op('Sub', [beta, emit.op('Mul', [mean, gain])]);
      layer.setInput(2, emit.op('Add', [folded, grid]));
      continue;
    }
    const { mean: batchMean, variance: batchVariance, count } = normalizeBatch(layer, record, [gain, gamma, beta]);
    if (count < 2) throw qatErrors.normCount(layer.label);
    const after = new Emitter(graph, `${layer.label}/batch-norm`);
    seen.set(own.mean, batchMean);
    seen.set(own.variance, after.op('Mul', [batchVariance, after.scalar(count / (count - 1))]));
  }
  return seen;
}

/** Appends conv → / gain → BatchNormalization over the batch. */
function normalizeBatch(
  layer: Node,
  { epsilon, gamma: { length: channels } }: NormRecord,
  [gain, gamma, beta]: readonly [Value, Value, Value],
): ReturnType<typeof liveBatchNorm> {
  const graph = layer.graph!;
  const result = layer.output()!;
  const dims = result.dims!;
  const product = graph.addValue(`${result.name}/product`);
  layer.setInput(2, null);
  layer.setOutput(0, product);
  product.setType(dataType('float32').code, dims);
  const norm = graph.makeNode('BatchNormalization', [null, gamma, beta, null, null], { outputs: [] });
  norm.setFloat('epsilon', epsilon);
  norm.name = `${layer.label}/batch-norm`;
  graph.insertAfter(norm, layer);
  norm.setOutput(0, result);
  const emit = new Emitter(graph, norm.name, norm);
  const column = emit.reshape(gain, channelShape(dims.length, 1, channels));
  const unscaled = emit.op('Div', [product, column]);
  unscaled.setType(dataType('float32').code, dims);
  norm.setInput(0, unscaled);
  return liveBatchNorm(norm);
}

/** Places of one live BatchNormalization in the flat array. */
export interface PlacedNorm {
  readonly record: NormRecord;
  readonly axis: number;
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly gamma: Parameter;
  readonly mean: Parameter;
  readonly variance: Parameter;
  readonly grid: Parameter;
}

/** Finds the places of the live BatchNormalizations of which everything is trained. */
export function placeNorms(model: Model, norms: readonly NormRecord[], parameters: readonly Parameter[]): PlacedNorm[] {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  return norms.flatMap((record) => {
    const [weight, bias, gamma, mean, variance, grid] = partsOf(record).map((name) => byName.get(name));
    if (!weight || !bias || !gamma || !mean || !variance || !grid) return [];
    const axis = outputAxis(layerOf(model.graph, record)!)!;
    return [{ record, axis, weight, bias, gamma, mean, variance, grid }];
  });
}

const part = (flat: Float32Array, { offset, length }: Parameter): Float32Array =>
  flat.subarray(offset, offset + length);

/** Writes the folded weights and biases to `out`, which holds everything else already. */
export function foldNorms(parameters: Float32Array, norms: readonly PlacedNorm[], out: Float32Array): void {
  for (const norm of norms) {
    const gains = gainsOf(recordAt(parameters, norm));
    scaleChannels(part(parameters, norm.weight), norm.weight.dims, norm.axis, gains, part(out, norm.weight));
    const [betas, means, biases] = [part(parameters, norm.bias), part(parameters, norm.mean), part(out, norm.bias)];
    for (let i = 0; i < gains.length; i++) biases[i] = betas[i]! - Math.fround(means[i]! * gains[i]!);
  }
}

/** The record as training has left it. */
export function recordAt(flat: Float32Array, { record, gamma, mean, variance }: PlacedNorm): NormRecord {
  return {
    ...record,
    gamma: part(flat, gamma).slice(),
    mean: part(flat, mean).slice(),
    variance: part(flat, variance).slice(),
  };
}
