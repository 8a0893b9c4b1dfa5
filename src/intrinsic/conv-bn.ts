/**
 * BatchNormalization behind Conv, ConvTranspose, Gemm or MatMul is folded into weight and bias: W' = W · gain and b' =
 * (b - mean) · gain + beta per output channel, in float64, rounded once. The node keeps its name and takes over the
 * output of the BatchNormalization.
 */
import type { Node } from '../graph/node.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { batchNormOf, type BatchNorm } from './batch-norm.ts';
import { absorb, doubles, isFloatType, roundTo, setConstant, type FloatType } from './edit.ts';
import { factsOf, type Facts } from './facts.ts';
import type { Pass } from './pass.ts';

export const convBn: Pass = {
  name: 'conv-bn',
  summary: 'BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul before it',
  run(model, context) {
    const facts = factsOf(model);
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('BatchNormalization')) continue;
      const label = node.label;
      const host = node.input(0)?.producer;
      const hostLabel = host?.label ?? '';
      const reason = fold(node, host, model.opset, facts);
      if (reason === undefined) context.applied([hostLabel, label], hostLabel);
      else context.refused(label, reason);
      changed ||= reason === undefined;
    }
    return changed;
  },
};

/**
 * A weight seen as [outer, group, channels of the group, inner]: the layout decides which elements an output channel
 * owns.
 */
interface Layout {
  readonly groups: number;
  /** Repetitions of the channel axis within a group. */
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** Folds, or returns the reason why not, having changed nothing. */
function fold(bn: Node, host: Node | undefined, opset: number, facts: Facts): string | undefined {
  const x = bn.input(0);
  if (!x || !host) return 'its input is not the result of a convolution or linear layer';
  if (!host.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return `its input comes from ${host.opType} '${host.label}'`;
  if (x.isOutput) return `'${x.name}', the result of '${host.label}', is a graph output`;
  if (x.soleUser !== bn) return `'${x.name}', the result of '${host.label}', is read by other nodes too`;
  if (host.graph !== bn.graph) return `'${host.label}' stands in another graph`;
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const weight = host.constant(1);
  if (!weight) return `the weight of '${host.label}' is not constant`;
  const type = weight.type.name;
  if (!isFloatType(type)) return `the weight of '${host.label}' is ${type}`;
  const layout = layoutOf(host, weight, facts);
  if (typeof layout === 'string') return layout;
  const channels = layout.groups * layout.channels;
  if (channels !== norm.gain.length) return `it has ${norm.gain.length} channels, '${host.label}' has ${channels}`;
  const bias = biasOf(host, channels);
  if (typeof bias === 'string') return bias;
  if (opset < 7 && !host.is('Conv', 'ConvTranspose')) return `opset ${opset} has no Gemm whose bias is broadcast`;

  const weights = roundTo(type, scaled(doubles(weight), layout, norm.gain));
  const biases = roundTo(type, shifted(bias.values, norm));
  if (!fits(weights, type) || !fits(biases, type)) return `the folded weight or bias does not fit ${type}`;
  rewire(host, weight, { type, dims: weight.dims, data: weights }, { type, dims: bias.dims, data: biases });
  absorb(host, bn);
  return undefined;
}

function layoutOf(host: Node, weight: Tensor, facts: Facts): Layout | string {
  const { dims, size } = weight;
  if (host.is('Conv')) return { groups: 1, outer: 1, channels: dims[0]!, inner: size / dims[0]! };
  if (host.is('ConvTranspose')) {
    const groups = host.int('group', 1);
    return { groups, outer: dims[0]! / groups, channels: dims[1]!, inner: size / (dims[0]! * dims[1]!) };
  }
  if (dims.length !== 2) return `the weight of '${host.label}' has rank ${dims.length}, not 2`;
  if (host.is('MatMul')) {
    // Axis 1, which BatchNormalization takes for the channels, is the last one only in a matrix.
    const { rank } = facts.of(host.input(0));
    if (rank !== 2)
      return `the input of '${host.label}' ${rank === undefined ? 'has an unknown rank' : `has rank ${rank}`}, not 2`;
  }
  const [rows, columns] = dims as [number, number];
  return host.int('transB', 0) !== 0
    ? { groups: 1, outer: 1, channels: rows, inner: columns }
    : { groups: 1, outer: rows, channels: columns, inner: 1 };
}

/** The bias as it is added today: zeros when absent, beta · C broadcast to [channels] or [rows, channels] for Gemm. */
function biasOf(host: Node, channels: number): { dims: readonly number[]; values: Float64Array } | string {
  const value = host.is('MatMul') ? undefined : host.input(2);
  if (!value) return { dims: [channels], values: new Float64Array(channels) };
  const tensor = value.constant;
  if (!tensor) return `the bias of '${host.label}' is not constant`;
  const content = doubles(tensor);
  if (!host.is('Gemm')) return { dims: [channels], values: content };
  const beta = Math.fround(host.float('beta', 1));
  const [rows, columns] = [tensor.dims.at(-2) ?? 1, tensor.dims.at(-1) ?? 1];
  const values = new Float64Array(rows * channels);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / channels);
    values[i] = beta * content[row * columns + (columns === 1 ? 0 : i % channels)]!;
  }
  return { dims: tensor.dims.length === 2 ? [rows, channels] : [channels], values };
}

function scaled(weight: Float64Array, { groups, outer, channels, inner }: Layout, gain: Float64Array): Float64Array {
  const result = new Float64Array(weight.length);
  let i = 0;
  for (let group = 0; group < groups; group++) {
    for (let repetition = 0; repetition < outer; repetition++) {
      for (let channel = 0; channel < channels; channel++) {
        const factor = gain[group * channels + channel]!;
        for (let k = 0; k < inner; k++, i++) result[i] = weight[i]! * factor;
      }
    }
  }
  return result;
}

/** `values` may hold several rows of channels. */
function shifted(values: Float64Array, { gain, mean, beta }: BatchNorm): Float64Array {
  return values.map((value, i) => {
    const channel = i % gain.length;
    return (value - mean[channel]!) * gain[channel]! + beta[channel]!;
  });
}

/** False when a finite number was rounded to infinity. */
function fits(data: ReturnType<typeof roundTo>, type: FloatType): boolean {
  if (type === 'float16') return (data as Uint16Array).every((half) => (half & 0x7c00) !== 0x7c00);
  return (data as Float32Array | Float64Array).every(Number.isFinite);
}

type ConstantContent = Parameters<typeof setConstant>[2];

/** A MatMul becomes a Gemm, which has a bias; beta is in the bias by now. */
function rewire(host: Node, weight: Tensor, weights: ConstantContent, biases: ConstantContent): void {
  const stem = weight.name.replace(/(^|[._/])weight$/, '$1');
  setConstant(host, 1, weights, weight.name);
  setConstant(host, 2, biases, stem === weight.name ? `${weight.name}_bias` : `${stem}bias`);
  if (host.is('MatMul')) host.opType = 'Gemm';
  host.attributes.delete('beta');
}
