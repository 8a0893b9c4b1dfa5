/** Of the whole pipeline in one. */
import type { Improvement, Report } from '../compare/report.ts';
import type { DataFlags, ExternalDataMode, JudgeFlags, ReportFlags, RunFlags, SchemeFlags } from './flags.ts';

export interface QuantizeOptions extends DataFlags, JudgeFlags, SchemeFlags, ReportFlags, RunFlags {
  readonly model: string;
  readonly output: string;
  /** "METRIC OP VALUE"; the report says which failed, and the caller decides what that means. */
  readonly gates: readonly string[];
  /**
   * Where the report goes. Absent: the models are compared and no file is written. False: they are not compared; the
   * int8 model is loaded and run once, and that is all.
   */
  readonly report?: string | false;
  /** See CompareOptions. */
  readonly layers?: boolean;
  readonly externalData: ExternalDataMode;
  /** Which corrections are tried; each is kept where samples that it has not seen are the better for it. Default: all there are. */
  readonly improve?: 'auto' | 'bias' | 'none';
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
