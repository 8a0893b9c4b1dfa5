/**
 * The contract of a metric. A metric is one file: it says what it measures, folds samples one batch at a time in constant
 * memory, merges with the state of other samples, and declares where its result stands in the report.
 */

export type Numbers = Float32Array | Float64Array;
export type Better = 'higher' | 'lower';

/** One output of both models for the same samples, row-major, of equal shape. */
export interface PairedOutput {
  readonly ids: readonly string[];
  /** Axis 0 runs over the samples wherever the model has a batch axis. */
  readonly dims: readonly number[];
  readonly float: Numbers;
  readonly quant: Numbers;
  /** Class index per sample; undefined when the data has no labels. */
  readonly labels: readonly number[] | undefined;
}

interface Accumulator<Result> {
  add(output: PairedOutput): void;
  /** Folds in the state of later samples, which must come from the same metric. */
  merge(other: this): void;
  value(): Result;
}

/** Its value covers everything added; null when the metric has no meaning for outputs of this shape. */
export interface OutputAccumulator extends Accumulator<number | null> {
  /** The sample where the worst value was met, for metrics that know it. */
  at?(): string | undefined;
  /** 95 % confidence interval of the value, for metrics that estimate what other samples would give. */
  interval?(): [number, number] | undefined;
}

/**
 * How far one output moved. Sees finite values only: where both models have the same infinity it sees 0 twice, and an output in
 * which they differ gets the worst value of the metric.
 */
export interface OutputMetric {
  /** In gates: `output.<id>`. */
  readonly id: string;
  /** Its key in a row of `report.outputs`; `at()` and `interval()` stand under the same key with `At` and `Ci95` appended. */
  readonly field: 'sqnrDb' | 'cosine' | 'maxAbs' | 'meanAbs' | 'argmaxAgreement' | 'normL2' | 'kl';
  /** 'fraction' may be given in percent. */
  readonly unit: 'dB' | 'fraction' | 'a cosine' | 'units of the output' | 'times the signal' | 'nats';
  readonly better: Better;
  /** It compares the elements of a row with each other, for which 0 would be wrong: it sees equal infinities as they are. */
  readonly ranks?: true;
  create(): OutputAccumulator;
}

/** Samples counted by which of the two models was right. */
export interface PairedCounts {
  readonly bothRight: number;
  readonly onlyFloat: number;
  readonly onlyQuant: number;
  readonly bothWrong: number;
}

export type TaskAccumulator = Accumulator<PairedCounts>;

/** How well both models do their task, judged by labels. Applies to the first output of shape [samples, classes]. */
export interface TaskMetric {
  /** In gates: `<id>.drop`. */
  readonly id: string;
  readonly unit: 'fraction';
  readonly better: Better;
  /** With fewer classes the metric is trivial and is left out of the report. */
  readonly minimumClasses: number;
  create(): TaskAccumulator;
}
