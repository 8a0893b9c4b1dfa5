/** BatchNormalization in inference mode, as the per-channel affine map that it is, and maps folded into it. */
import type { Node } from '../graph/node.ts';
import type { Affine } from './affine.ts';
import { doubles, fits, isFloatType, roundTo } from './edit.ts';
import type { Fold } from './layer.ts';

/** y = (x - mean) · gain + beta on axis 1, with gain = scale / √(var + epsilon); float64, one number per channel. */
export interface BatchNorm {
  readonly gain: Float64Array;
  readonly mean: Float64Array;
  readonly beta: Float64Array;
}

/**
 * Its parameters, or the reason why it is no constant affine map. Opsets 1 and 6 tell training by `is_test` and 7 and 9
 * by extra outputs, 14 and 15 by `training_mode`; `spatial` (opset 1 to 8) normalizes every pixel by itself when 0.
 */
export function batchNormOf(node: Node, opset: number): BatchNorm | string {
  if (node.int('training_mode', 0) !== 0) return 'it runs in training mode (training_mode = 1)';
  if (opset < 7 && node.int('is_test', 0) === 0) return 'it runs in training mode (is_test = 0)';
  if (opset < 9 && node.int('spatial', 1) === 0) return 'it normalizes every position by itself (spatial = 0)';
  if (opset < 14 && node.outputs.slice(1).some((value) => value !== null)) {
    return 'it runs in training mode (before opset 14, more than one output means that)';
  }
  const extra = node.outputs.slice(1).find((value) => value && value.useCount > 0);
  if (extra) return `its statistics '${extra.name}' are read`;
  const parameters = [1, 2, 3, 4].map((index) => node.constant(index));
  const missing = parameters.indexOf(undefined);
  if (missing >= 0) return `its parameter '${node.input(missing + 1)?.name ?? missing + 1}' is not constant`;
  const [scale, beta, mean, variance] = parameters.map((tensor) => doubles(tensor!)) as Float64ArrayTuple;
  const channels = scale.length;
  if ([beta, mean, variance].some((each) => each.length !== channels)) return 'its parameters differ in length';
  const epsilon = Math.fround(node.float('epsilon', 1e-5));
  const gain = scale.map((value, channel) => value / Math.sqrt(variance[channel]! + epsilon));
  const broken = gain.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) return `its variance plus epsilon is not positive in channel ${broken}`;
  return { gain, mean, beta };
}

/** y = gain · x + (beta - mean · gain). */
export function affineOfBatchNorm({ gain, mean, beta }: BatchNorm): Affine {
  return { gain, shift: gain.map((value, channel) => beta[channel]! - mean[channel]! * value) };
}

/** A map behind it: scale and bias are mapped. */
export function foldBehindBatchNorm(node: Node, { beta }: BatchNorm, { gain, shift }: Affine): Fold | string {
  const scale = doubles(node.constant(1)!);
  const scales = scale.map((value, channel) => value * gain[channel]!);
  return foldOf(node, [scales, beta.map((value, channel) => value * gain[channel]! + shift[channel]!)]);
}

/**
 * A map in front of it: the scale grows by the gain and the mean moves against the map. Where the gain is 0 nothing of x
 * is left, and the constant that is goes into the bias.
 */
export function foldBeforeBatchNorm(node: Node, norm: BatchNorm, { gain, shift }: Affine): Fold | string {
  const scale = doubles(node.constant(1)!);
  const scales = scale.map((value, channel) => value * gain[channel]!);
  const betas = norm.beta.map((value, channel) => {
    return gain[channel] === 0 ? value + (shift[channel]! - norm.mean[channel]!) * norm.gain[channel]! : value;
  });
  const means = norm.mean.map((value, channel) =>
    gain[channel] === 0 ? 0 : (value - shift[channel]!) / gain[channel]!,
  );
  return foldOf(node, [scales, betas, means]);
}

/** New scale, bias and mean, of which those that stay as they are stay shared. */
function foldOf(node: Node, values: readonly Float64Array[]): Fold | string {
  const constants: Fold['constants'][number][] = [];
  for (const [i, each] of values.entries()) {
    const { name, dims, type } = node.constant(i + 1)!;
    const old = doubles(node.constant(i + 1)!);
    if (each.every((value, channel) => value === old[channel])) continue;
    if (!isFloatType(type.name)) return `its parameter '${name}' is ${type.name}`;
    const data = roundTo(type.name, each);
    if (!fits(data, type.name)) return `the folded parameter '${name}' does not fit ${type.name}`;
    constants.push({ index: i + 1, content: { type: type.name, dims, data }, base: name });
  }
  return { node, constants };
}

type Float64ArrayTuple = [Float64Array, Float64Array, Float64Array, Float64Array];
