/** Of fusing and calibrating, and of the states that calibration makes. */
import type { Health } from '../calibrate/health.ts';
import type { Applied, Refused } from '../intrinsic/pass.ts';
import type { DataFlags, ExternalDataMode, ObserverFlags, RunFlags } from './flags.ts';

export interface FuseOptions extends DataFlags, RunFlags {
  readonly model: string;
  readonly output: string;
  /**
   * Operator set of the result: an older model is upgraded to it, and no further. Default: its own, or what operators that
   * stand in parts need as wholes (LayerNormalization 17, Gelu 20, RMSNormalization 23).
   */
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

export interface CalibrateOptions extends DataFlags, ObserverFlags, RunFlags {
  readonly model: string;
  /** The calibration state file. */
  readonly output: string;
  /** As for quantize: a state serves models of the same operator set. */
  readonly opset?: number;
  /** Observe only this share of the samples; `index` counts from 1. The states of all shards merge into one. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Worker threads, each with a session of its own and one thread, whatever `threads` says; 1: none. */
  readonly workers: number;
  /** Seconds between saves of what there is so far, to `output`.partial, from where a run that was stopped goes on. */
  readonly saveEvery: number;
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

export interface MergeOptions {
  /** State files of `calibrateModel` with `shard`, in any order. */
  readonly states: readonly string[];
  /** The merged state file. */
  readonly output: string;
  /** Write the state although shards are missing. */
  readonly partial?: boolean;
}

export interface MergeResult {
  readonly outputPath: string;
  readonly samples: number;
  readonly tensors: number;
  /** Number of shards of the calibration, and those that were not there, ascending. */
  readonly shards: number;
  readonly missing: readonly number[];
}

export interface ExportOptions {
  /** State file of `calibrateModel`. */
  readonly state: string;
  /** onnxruntime.quantization's JSON, or TensorRT's calibration cache. */
  readonly as: 'ort-json' | 'tensorrt';
  readonly output: string;
}

export interface ExportResult {
  readonly outputPath: string;
  readonly tensors: number;
}
