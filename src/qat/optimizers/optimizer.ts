/**
 * The contract of an optimizer: how a gradient moves the parameters. One file per optimizer. All arithmetic is in float64 on
 * float32 arrays, element by element in order, so that the same gradients give the same bytes everywhere.
 */

/** A run of elements that are treated alike. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly lr: number;
  /** Weight decay; 0 for biases and scales. */
  readonly decay: number;
}

export interface OptimizerOptions {
  /** Of sgd. */
  readonly momentum: number;
  readonly nesterov: boolean;
}

export interface Optimizer {
  /** What `--optimizer` names. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  /** Arrays of the length of the parameters that it keeps, zero at first. */
  readonly slots: readonly string[];
  /** @param step from 1 */
  step(
    segment: Segment,
    parameters: Float32Array,
    gradients: Float32Array,
    state: Readonly<Record<string, Float32Array>>,
    step: number,
    options: OptimizerOptions,
  ): void;
}
