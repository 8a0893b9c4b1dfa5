/**
 * Bias → int32 at (input scale × weight scale), zero point 0, one scale per channel when the weight has one. When a tiny scale
 * would push a bias out of int32, the weight's scale is enlarged first: the channel's weights are then so small beside its
 * bias that their lost precision cannot be seen.
 */
import { Tensor } from '../onnx/tensor.ts';
import { clamp, roundHalfEven } from './params.ts';

const int32Max = 2 ** 31 - 1;
/** Room for the accumulator that the bias is added to, and for float32 rounding of the scales. */
const largestCode = 2 ** 30;

/** Enlarges, in place, the weight scales under which a bias would overflow. Returns the channels changed. */
export function repairOverflow(bias: Tensor, inputScale: number, weightScales: Float32Array): number[] {
  const values = bias.floats();
  const changed: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const slot = weightScales.length === 1 ? 0 : i;
    const needed = Math.abs(values[i]!) / (inputScale * largestCode);
    if (weightScales[slot]! < needed) {
      weightScales[slot] = needed;
      changed.push(i);
    }
  }
  return changed;
}

/** @returns int32 codes of shape [C] and their float32 scales (one, or one per channel) */
export function quantizeBias(
  bias: Tensor,
  inputScale: number,
  weightScales: Float32Array,
  name: string,
): { codes: Tensor; scales: Float32Array } {
  const values = bias.floats();
  const scales = weightScales.map((scale) => Math.fround(inputScale * scale));
  const codes = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const scale = scales[scales.length === 1 ? 0 : i]!;
    codes[i] = clamp(roundHalfEven(values[i]! / scale), -int32Max - 1, int32Max);
  }
  return { codes: Tensor.of(name, 'int32', [values.length], codes), scales };
}
