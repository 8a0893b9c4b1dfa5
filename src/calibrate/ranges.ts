/** What calibration is for: the interval that the values of each activation fill. */

/** In real units; contains zero, because zero must stay exact in int8 (padding, ReLU). */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** By tensor name, in the order in which the tensors were asked for. */
export type Ranges = ReadonlyMap<string, Range>;
