/** BatchNormalization in inference mode, as the per-channel affine map that it is. */
import type { Node } from '../graph/node.ts';
import { doubles } from './edit.ts';

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

type Float64ArrayTuple = [Float64Array, Float64Array, Float64Array, Float64Array];
