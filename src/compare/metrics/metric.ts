/**
 * What a metric and a task are, and the numbers that they see. A metric folds samples one batch at a time in constant memory, merges
 * with the state of other samples, and declares where its result stands in the report. A task (`--task NAME`, or a user's own module:
 * `--metric FILE`) is evaluated on whole samples, all their outputs together, against the float model, which is then perfect.
 */
import type { DataTypeName, TensorValue } from '../../onnx/data-types.ts';
import { bfloat16ToFloat32, float16ToFloat32, toFloat32 } from '../../onnx/narrow-types.ts';

/** Output elements as metrics see them, whatever the element type of the tensor. */
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

/** A figure of both models that a task found. */
export interface TaskScore {
  readonly metric: string;
  /** The outputs it looked at. */
  readonly output: string;
  readonly unit: string;
  readonly better: Better;
  /** Samples. */
  readonly n: number;
  /** What a perfect model gets: the float model against itself. */
  readonly float: number;
  readonly quant: number;
  /** 95 % confidence interval of quant − float. */
  readonly ci95?: readonly [number, number];
  readonly detail?: Readonly<Record<string, number>>;
}

/** Evaluates one task over the batches of a comparison. */
export interface TaskEvaluator {
  /** Outputs of one batch by name. @throws TASK_OUTPUTS when they are none that the task can read */
  add(outputs: ReadonlyMap<string, PairedOutput>): void;
  scores(): TaskScore[];
}

/** Settings of a task by name: numbers and words, as `--task-option NAME=VALUE` gave them. */
export type TaskSettings = Readonly<Record<string, string>>;

/** What `--task` can name. */
export interface Task {
  readonly id: string;
  /** One line for help. */
  readonly summary: string;
  /** Settings it reads, with their defaults as text. */
  readonly settings: Readonly<Record<string, string>>;
  /** Metrics of its scores, for gates. */
  readonly metrics: readonly {
    readonly id: string;
    readonly unit: 'fraction' | 'units of the output' | 'nats';
    readonly better: Better;
  }[];
  /** @param settings complete: given values over defaults */
  create(settings: TaskSettings): TaskEvaluator;
}

/** Element types whose tensors can be subtracted. */
const comparable: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['float32', 'float64', 'float16', 'bfloat16', 'bool'] as const),
  ...(['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const),
]);

/** Whether tensors of this type can be subtracted: not strings, complex and packed types. */
export function isComparable(type: DataTypeName): boolean {
  return comparable.has(type);
}

/** The elements of a tensor of a comparable type; the array itself when it is float32 or float64. */
export function toNumbers({ type, data }: TensorValue): Numbers {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Float64Array.from(data as BigInt64Array, Number);
  // Node.js from 24 on has a Float16Array, which onnxruntime returns instead of bit patterns.
  if (data instanceof Uint16Array && type === 'float16') return toFloat32(data, float16ToFloat32);
  if (data instanceof Uint16Array && type === 'bfloat16') return toFloat32(data, bfloat16ToFloat32);
  return Float64Array.from(data);
}

/** Index of the first NaN or infinity at or after `from`, or -1. */
export function firstNonFinite(values: Numbers, from = 0): number {
  for (let i = from; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/**
 * Puts 0 where both hold the same infinity, which masks or suppresses on purpose, in copies; returns the arrays themselves where there
 * is none. What is not finite afterwards is a difference.
 */
export function withoutEqualInfinities(a: Numbers, b: Numbers): readonly [Numbers, Numbers] {
  let [left, right] = [a, b];
  for (let i = firstNonFinite(a); i >= 0; i = firstNonFinite(a, i + 1)) {
    if (a[i] !== b[i]) continue;
    if (left === a) [left, right] = [a.slice(), b.slice()];
    left[i] = right[i] = 0;
  }
  return [left, right];
}
