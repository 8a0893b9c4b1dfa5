/** What calibration is for: the interval that the values of each activation fill. */

/** In real units; contains zero, because zero must stay exact in int8 (padding, ReLU). */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * No range narrower than `least`: the upper end moves up, as MinimumRealRange of onnxruntime.quantization has it. Some accelerators
 * cannot take the tiny scale of a tensor that is nearly constant.
 */
export function widened(ranges: Ranges, least: number | undefined): Ranges {
  if (!least) return ranges;
  return new Map([...ranges].map(([tensor, { min, max }]) => [tensor, { min, max: Math.max(max, min + least) }]));
}

/** By tensor name, in the order in which the tensors were asked for. */
export type Ranges = ReadonlyMap<string, Range>;
