/**
 * What the pipeline's stages take and give: plain data, the same words as the command line, so that a recipe file, a
 * command and a library call say the same thing. Paths are as the user gave them; optional fields are left out, never
 * null.
 */
import type { Report } from './compare/report.ts';
import type { Applied, Refused } from './intrinsic/pass.ts';

/** Where samples come from: `data` or `reader`. Only `fuse` runs without: it generates inputs, and says so. */
export interface DataFlags {
  /** Image folder, .npy, .npz, folder of TensorProto sets, or the word `random`. */
  readonly data?: string;
  /** A user's module: async iterator of `{input: tensor, label?}`. */
  readonly reader?: string;
  /** A preset (`imagenet`) and/or `key=value` words. */
  readonly preprocess?: string;
  /** How many samples; the stage's own default when absent. */
  readonly samples?: number;
  readonly seed: number;
  /** Samples per run, where the model's batch axis is free. */
  readonly batch?: number;
  /** The samples of the report; default: what `data` leaves over. */
  readonly eval?: string;
}

export type ActivationType = 'u8' | 's8' | 'u16' | 's16';
export type WeightType = 's8' | 'u8';

/** How to quantize. Whatever is absent is decided by the target. */
export interface SchemeFlags {
  readonly format: 'qdq';
  /** A target of `backends` (ort-cpu-x64, ...); default: this machine. */
  readonly target?: string;
  readonly activationType?: ActivationType;
  readonly weightType?: WeightType;
  readonly perTensor?: boolean;
  readonly symmetric?: boolean;
  readonly reduceRange?: boolean;
  /** Node names, operator types or /regular expressions/; empty means everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly observer: 'minmax';
  /** Calibration state file: ranges instead of `data`. */
  readonly state?: string;
}

/** A step forward of a long stage. A new `stage` ends the one before it. */
export interface Progress {
  /** A verb phrase: "calibrating", "comparing outputs". */
  readonly stage: string;
  readonly done: number;
  /** Absent when the end is not known. */
  readonly total?: number;
  /** Plural noun of what is counted: "samples". */
  readonly unit: string;
}

export interface RunFlags {
  /** Intra-op threads of onnxruntime. */
  readonly threads: number;
  /** The command line as typed, for the report. */
  readonly command?: string;
  readonly onProgress?: (progress: Progress) => void;
  /** One line each, without "warning:"; every warning is in the result too. */
  readonly onWarning?: (message: string) => void;
}

/** Tensors inside the .onnx file, beside it, or beside it only when they do not fit (2 GiB). */
export type ExternalDataMode = 'auto' | 'always' | 'never';

export interface FuseOptions extends DataFlags, RunFlags {
  readonly model: string;
  readonly output: string;
  /** The least version of the default operator set wanted: an older model is upgraded first. Default: as it is. */
  readonly opset?: number;
  /** Names of passes that must not run. */
  readonly skip: readonly string[];
  readonly externalData: ExternalDataMode;
}

export interface FuseResult {
  readonly outputPath: string;
  readonly applied: readonly Applied[];
  readonly refused: readonly Refused[];
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  /** Number of nodes by operator type. */
  readonly opsBefore: Readonly<Record<string, number>>;
  readonly opsAfter: Readonly<Record<string, number>>;
  /** Samples on which the two models were run, and whether they were generated. */
  readonly samples: number;
  readonly synthetic: boolean;
  /**
   * Largest |fused - original| over every output, relative to the largest |original| of that output; absent when no inputs
   * could be generated, which is a warning.
   */
  readonly worstDifference?: number;
  /** What `worstDifference` was held to; above it the fused model is not written and an error is thrown. */
  readonly bound: number;
  readonly warnings: readonly string[];
}

export interface CalibrateOptions extends DataFlags, RunFlags {
  readonly model: string;
  /** The calibration state file. */
  readonly output: string;
  readonly observer: 'minmax';
}

export interface CalibrateResult {
  readonly outputPath: string;
  /** Number of samples observed, and of tensors with a range. */
  readonly samples: number;
  readonly tensors: number;
  readonly warnings: readonly string[];
}

export interface QuantizeOptions extends DataFlags, SchemeFlags, RunFlags {
  readonly model: string;
  readonly output: string;
  /** "METRIC OP VALUE"; the report says which failed, and the caller decides what that means. */
  readonly gates: readonly string[];
  /**
   * Where the JSON report goes. Absent: the models are compared and no file is written. False: they are not compared; the
   * int8 model is loaded and run once, and that is all.
   */
  readonly report?: string | false;
  readonly externalData: ExternalDataMode;
}

export interface PlanSummary {
  /** Number of nodes that run in int8, and that stay float. */
  readonly quantizedNodes: number;
  readonly floatNodes: number;
  /** Every node left float, with its reason. */
  readonly leftFloat: readonly { readonly node: string; readonly op: string; readonly reason: string }[];
  /** The scheme in words: "QDQ, u8 activations, s8 weights per channel". */
  readonly scheme: string;
}

export interface QuantizeResult {
  readonly outputPath: string;
  /** Absent when none was written. */
  readonly reportPath?: string;
  readonly plan: PlanSummary;
  /** Absent when `report` was false. */
  readonly report?: Report;
  readonly warnings: readonly string[];
}

export interface CompareOptions extends DataFlags, RunFlags {
  /** Paths of the float model and of the model made from it. */
  readonly float: string;
  readonly quant: string;
  /** "METRIC OP VALUE"; the report says which failed. */
  readonly gates: readonly string[];
  /** Where the JSON report goes; none when absent or false. */
  readonly report?: string | false;
}

export interface CompareResult {
  readonly report: Report;
  /** Absent when none was written. */
  readonly reportPath?: string;
}
