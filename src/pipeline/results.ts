/** What the stages give: plain data. Paths are as the user gave them; optional fields are left out, never null. */
import type { Health } from '../calibrate/health-findings.ts';
import type { Improvement, Report, Sensitivity } from '../compare/report.ts';
import type { Applied, Refused } from '../intrinsic/pass.ts';

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

export interface CalibrateResult {
  readonly outputPath: string;
  /** Number of samples observed, and of tensors with a range. */
  readonly samples: number;
  readonly tensors: number;
  /** What the samples told of themselves; absent with fewer than 20 samples, or where they ran in batches. */
  readonly health?: Health;
  readonly warnings: readonly string[];
}

export interface MergeResult {
  readonly outputPath: string;
  readonly samples: number;
  readonly tensors: number;
  /** Number of shards of the calibration, and those that were not there, ascending. */
  readonly shards: number;
  readonly missing: readonly number[];
}

export interface ExportResult {
  readonly outputPath: string;
  readonly tensors: number;
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
  /** Every file of the report. */
  readonly reportFiles?: readonly string[];
  readonly plan: PlanSummary;
  /** What was tried to make it better; absent when nothing was. */
  readonly improvements?: readonly Improvement[];
  /** Absent when `report` was false. */
  readonly report?: Report;
  readonly warnings: readonly string[];
  /** Why the model was written without being run; absent when it was run. */
  readonly notRun?: string;
}

export interface PrepareResult {
  readonly outputPath: string;
  readonly plan: PlanSummary;
  /** Number of fake quantizers, on weights and activations. */
  readonly quantizers: number;
  readonly weightBits: number;
  readonly activationBits: number;
  readonly firstLastBits: number;
  /** Number of BatchNormalizations whose statistics were kept. */
  readonly batchNorms: number;
  readonly warnings: readonly string[];
}

export interface QuantizeFinetunedResult extends QuantizeResult {
  readonly training: FinetuneResult;
}

export interface FinetuneResult {
  readonly outputPath: string;
  /** The loss that was used. */
  readonly loss: string;
  readonly steps: number;
  /** The step whose parameters were written. */
  readonly keptStep: number;
  /** True when patience ended. */
  readonly endedEarly: boolean;
  /** Number of trained values. */
  readonly parameters: number;
  /** Number of BatchNormalizations that took part. */
  readonly batchNorms: number;
  /** What the samples that judge said, at step 0 first: `top1`, `agreement` or `sqnr`. */
  readonly evaluations: readonly { readonly step: number; readonly name: string; readonly value: number }[];
  readonly training: readonly {
    readonly step: number;
    readonly loss: number;
    readonly lr: number;
    readonly metric?: number;
  }[];
  readonly stepMilliseconds: number;
  readonly warnings: readonly string[];
  /** With `report` or gates. */
  readonly report?: Report;
  readonly reportPath?: string;
  readonly reportFiles?: readonly string[];
}

export interface ConvertResult {
  readonly outputPath: string;
  /** Number of constants stored in four bits. */
  readonly fourBits: number;
  /** Number of constants that became integer codes, and of biases that became int32. */
  readonly weights: number;
  readonly biases: number;
  /** Number of Relu and Clip nodes that the quantizer behind them replaced. */
  readonly absorbed: number;
  /** Number of samples on which the result was compared with its source. */
  readonly samples: number;
  /** Largest difference of an output there, in units of its range. */
  readonly worstDifference?: number;
  readonly warnings: readonly string[];
}

export interface CompareResult {
  readonly report: Report;
  /** Absent when none was written. */
  readonly reportPath?: string;
  /** Every file of the report. */
  readonly reportFiles?: readonly string[];
}

export interface SensitivityResult {
  readonly sensitivity: Sensitivity;
  readonly warnings: readonly string[];
  readonly reportPath?: string;
}
