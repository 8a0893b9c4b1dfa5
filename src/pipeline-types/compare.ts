/** Of comparing two models, and of what each layer costs. */
import type { Report, Sensitivity } from '../compare/report.ts';
import type { DataFlags, JudgeFlags, ReportFlags, RunFlags, SchemeFlags } from './flags.ts';

export interface CompareOptions extends DataFlags, JudgeFlags, ReportFlags, RunFlags {
  /** Paths of the float model and of the model made from it. */
  readonly float: string;
  readonly quant: string;
  /** "METRIC OP VALUE"; the report says which failed. */
  readonly gates: readonly string[];
  /** Compare tensor by tensor: true on every sample, false not at all, absent on the first few. */
  readonly layers?: boolean;
}

export interface CompareResult {
  readonly report: Report;
  /** Absent when none was written. */
  readonly reportPath?: string;
  /** Every file of the report. */
  readonly reportFiles?: readonly string[];
}

export interface SensitivityOptions
  extends DataFlags, RunFlags, Omit<SchemeFlags, 'format' | 'state' | 'override' | 'recurrent'> {
  /** The float model. */
  readonly model: string;
  /** An int8 model made from it whose quantizers are judged; absent: it is quantized with these flags. */
  readonly int8?: string;
  /** "METRIC OP VALUE": search the shortest list of layers to leave float that meets it. */
  readonly until?: string;
  /** Measure only this many layers, those that a first look at a few samples finds most harmful. */
  readonly measure?: number;
  /** A report file to add the result to. */
  readonly into?: string;
}

export interface SensitivityResult {
  readonly sensitivity: Sensitivity;
  readonly warnings: readonly string[];
  readonly reportPath?: string;
}
