/**
 * What the stages take: their settings, by the same words as flags and recipes, and the files they are about. Paths are as the user gave
 * them; what is optional is left out, never null. Stages get every setting that has a default; `Given` is what a caller of the library
 * may leave out.
 */
import type { data } from './data.ts';
import type { FormatSetting, OptionsOf, ValueOf, Values } from './settings.ts';
import type { training } from './training.ts';

export type ActivationType = ValueOf<'activationType'>;
export type WeightType = ValueOf<'weightType'>;
/** Tensors inside the .onnx file, beside it, or beside it only when they do not fit (2 GiB). */
export type ExternalDataMode = ValueOf<'externalData'>;

/** Where samples come from, and how they are read. Only `fuse` and `convert` run without: they generate inputs, and say so. */
export type DataFlags = Values<Exclude<keyof typeof data, 'shard' | 'int8'>>;

/** How ranges are found from samples. */
export type ObserverFlags = Values<'observer' | 'observerOption' | 'exact'>;

/** How to quantize. Whatever is absent is decided by the target. */
export type SchemeFlags = ObserverFlags &
  Values<FormatSetting> &
  Values<'format' | 'target' | 'opset' | 'include' | 'exclude' | 'override' | 'minRange' | 'range' | 'state'>;

/** Where the report goes, in which forms, and what relative gates compare with. */
export type ReportFlags = Values<'report' | 'reportFormat' | 'htmlStatic' | 'baseline' | 'updateBaseline' | 'profile'>;

/** What a comparison judges besides labels. */
export type JudgeFlags = Values<'task' | 'taskOption' | 'metric'>;

/** How to train. */
export type TrainingFlags = Values<Exclude<keyof typeof training, 'withFinetuning'> | 'workers'>;

/** A step forward of a long stage. A new `stage` ends the one before it. */
export interface Progress {
  /** A verb phrase: "calibrating", "comparing outputs". */
  readonly stage: string;
  readonly done: number;
  /** Absent when the end is not known. */
  readonly total?: number;
  /** Plural noun of what is counted: "samples". */
  readonly unit: string;
  /** A few words on how it goes: "loss 0.12". */
  readonly detail?: string;
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

/** The model that a stage reads and the file that it writes. */
interface Files {
  readonly model: string;
  readonly output: string;
}

/** What a stage with a verdict takes under another name than the command line. */
export interface Gated {
  /**
   * "METRIC OP VALUE"; the report says which failed, and the caller decides what that means. Where no report is asked for, gates alone
   * make the models be compared.
   */
  readonly gates: ValueOf<'gate'>;
}

export interface FuseOptions extends OptionsOf<'fuse'>, Files, RunFlags {}

/** `output`: the calibration state file. */
export interface CalibrateOptions extends OptionsOf<'calibrate'>, Files, RunFlags {
  /** Observe only this share of the samples; `index` counts from 1. The states of all shards merge into one. */
  readonly shard?: { readonly index: number; readonly count: number };
}

export interface MergeOptions extends Partial<OptionsOf<'merge'>> {
  /** State files of `calibrateModel` with `shard`, in any order. */
  readonly states: readonly string[];
  /** The merged state file. */
  readonly output: string;
}

export interface ExportOptions extends Required<OptionsOf<'export'>> {
  readonly output: string;
  /** State file of `calibrateModel`. */
  readonly state: string;
}

export interface QuantizeOptions extends OptionsOf<'quantize'>, Gated, Files, RunFlags {}

export interface PrepareOptions extends OptionsOf<'prepare'>, Files, RunFlags {}

/** `model`: one with fake quantizers. */
export interface FinetuneOptions extends OptionsOf<'finetune'>, Gated, Files, RunFlags {}

/** `quantize --finetune`: `samples` and `batch` are those of training. */
export interface QuantizeFinetunedOptions extends OptionsOf<'quantizeFinetuned'>, Gated, Files, RunFlags {}

/**
 * `model`: one with fake quantizers, of `prepareModel` or `finetuneModel`, or a QDQ model of another tool. Without `data` or `reader`
 * the result is proven on generated samples.
 */
export interface ConvertOptions extends OptionsOf<'convert'>, Files, RunFlags {}

export interface CompareOptions extends OptionsOf<'compare'>, Gated, RunFlags {
  /** Paths of the float model and of the model made from it. */
  readonly float: string;
  readonly quant: string;
}

export interface SensitivityOptions extends OptionsOf<'sensitivity'>, RunFlags {
  /** The float model. */
  readonly model: string;
}

/** `output`: the folder to write into; made when it is not there. */
export interface VariantsOptions extends OptionsOf<'variants'>, Files, RunFlags {
  readonly for: ValueOf<'for'>;
}
