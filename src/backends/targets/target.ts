/** A target is a runtime on a kind of machine: which scheme it runs fastest, and which operators it runs better in float. */

export type ActivationType = 'uint8' | 'int8' | 'uint16' | 'int16';
export type WeightType = 'int8' | 'uint8' | 'int16' | 'uint16';

/**
 * How much of the integer range weights may use. full: all of it. reduced: 7 bits. pairs: all of it, except that no two
 * neighbouring products can overflow the 16-bit sums of x64 kernels without VNNI.
 */
export type WeightRange = 'full' | 'reduced' | 'pairs';

export interface Scheme {
  readonly activationType: ActivationType;
  readonly activationSymmetric: boolean;
  readonly weightType: WeightType;
  readonly perChannel: boolean;
  readonly weightRange: WeightRange;
  /** How the scales of weights are found (quantized/weight-observers); default max. */
  readonly weightObserver?: string;
}

export interface Target {
  readonly name: string;
  readonly summary: string;
  readonly scheme: Scheme;
  /** Operator types that this target runs better in float, with the reason `qdq explain` gives. */
  readonly preferFloat: Readonly<Record<string, string>>;
  /** True when its int8 products are exact for full-range u8 × s8 operands. */
  readonly exactProducts: boolean;
}
