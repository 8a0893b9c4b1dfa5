/**
 * Bias → int32 at (input scale × weight scale), zero point 0, one scale per channel when the weight has one:
 *
 *   code = round(bias / (input scale · weight scale))
 *
 * The bias is exact only
 * where that step suits it, so the scales of weights are fitted to it first: enlarged where it would overflow (the channel's weights
 * are then so small beside it that their lost precision cannot be seen), and chosen for it where all weights of a channel are 0,
 * whose codes are 0 at any scale. A bias that is written in float needs it too: onnxruntime quantizes it by itself.
 */
import { Tensor } from '../onnx/tensor.ts';
import { clamp, roundHalfEven } from './quant-params.ts';

const int32Max = 2 ** 31 - 1;
/** Room for the accumulator that the bias is added to, and for float32 rounding of the scales. */
const largestCode = 2 ** 30;
/** Of a bias that is all that a channel has: as exact as float32 sums are, and the step no smaller than it must be. */
const loneCode = 2 ** 20;
/** Twice the least normal float32: what a product of scales must reach. */
const leastStep = 2 ** -125;

/** A layer that reads the weight. */
export interface BiasedLayer {
  readonly bias: Tensor;
  readonly inputScale: number;
}

/**
 * Fits, in place, the scales of a weight to the biases of all layers that read it.
 * @param silent slots whose weights are all 0
 * @returns the slots that were enlarged at the cost of weights
 */
export function fitScales(
  scales: Float32Array,
  silent: ReadonlySet<number>,
  layers: readonly BiasedLayer[],
): ReadonlySet<number> {
  const others = scales.reduce((most, scale, slot) => (silent.has(slot) ? most : Math.max(most, scale)), 0);
  for (const slot of silent) scales[slot] = 0;
  const enlarged = new Set<number>();
  for (const { bias, inputScale } of layers) {
    bias.floats().forEach((value, channel) => {
      const slot = scales.length === 1 ? 0 : channel;
      const lone = silent.has(slot);
      if (lone && value === 0) return;
      const step = Math.abs(value) / (lone ? loneCode : largestCode);
      const needed = Math.fround(Math.max(step, leastStep) / inputScale);
      if (!(scales[slot]! < needed)) return;
      scales[slot] = needed;
      if (!lone) enlarged.add(slot);
    });
  }
  // What nothing depends on is as large as the rest.
  for (const slot of silent) if (scales[slot] === 0) scales[slot] = others || 1;
  return enlarged;
}

/** Quantizes a bias. @returns int32 codes of shape [C] and their float32 scales (one, or one per channel) */
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
