/**
 * What the pipeline's stages take and give: plain data, the same words as the command line, so that a recipe file, a
 * command and a library call say the same thing. Paths are as the user gave them; optional fields are left out, never
 * null.
 */
import type { Health } from './calibrate/health.ts';
import type { Report, Sensitivity } from './compare/report.ts';
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
  /** Leave out samples that cannot be read or do not fit the model, and count them, instead of ending with an error. */
  readonly skipBad?: boolean;
  /** Inputs that are the same for every sample, `NAME=NUMBER` each. */
  readonly input?: readonly string[];
  /** State of a stateful model, `OUTPUT=INPUT` each: fed back from sample to sample, zero at the start of a sequence. */
  readonly carry?: readonly string[];
  /** The samples of the report; default: what `data` leaves over. */
  readonly eval?: string;
}

export type ActivationType = 'u8' | 's8' | 'u16' | 's16';
export type WeightType = 's8' | 'u8' | 's4' | 'u4' | 'f8';
/** How the quantized model is written down. */
export type FormatName = 'qdq' | 'qoperator' | 'dynamic' | 'weight-only' | 'fp16' | 'bf16';

/** How ranges are found from samples. */
export interface ObserverFlags {
  readonly observer: 'minmax' | 'percentile' | 'entropy' | 'mse' | 'histogram' | 'average';
  /** "NAME=NUMBER", such as "percentile=99.9". */
  readonly observerOption: readonly string[];
  /** Histograms of every element instead of a sample of each tensor: slower. */
  readonly exact: boolean;
}

/** How to quantize. Whatever is absent is decided by the target. */
export interface SchemeFlags extends ObserverFlags {
  readonly format: FormatName;
  /** A target of `backends` (ort-cpu-x64, ...); default: this machine. */
  readonly target?: string;
  readonly activationType?: ActivationType;
  readonly weightType?: WeightType;
  readonly perTensor?: boolean;
  readonly symmetric?: boolean;
  readonly reduceRange?: boolean;
  /** What the result is to be best at; latency when absent. */
  readonly optimize?: 'latency' | 'accuracy' | 'size';
  /** How the scales of weights are found; default max. */
  readonly weightObserver?: 'max' | 'mse';
  /** weight-only: bits of a weight. */
  readonly weightBits?: number;
  /** weight-only: weights that share a scale, a power of two from 16 to 256. */
  readonly blockSize?: number;
  /** weight-only: round to nearest, or half-quadratic zero points. */
  readonly weightMethod?: 'rtn' | 'hqq';
  /** weight-only: 4 multiplies in int8, 1 in float32. */
  readonly accuracyLevel?: number;
  /** fp16, bf16: inputs and outputs stay float32. */
  readonly keepIo?: boolean;
  /** qdq: scan opens LSTM, GRU and RNN, so that their products run in static int8. */
  readonly recurrent?: 'keep' | 'scan';
  /** Node names, operator types or /regular expressions/; empty means everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** "PATTERN: key=value, ...": settings of single nodes, as flags name them, or format=float. */
  readonly override?: readonly string[];
  /** Least width of an observed range, zero included, in real units: a narrower one is stretched upwards. */
  readonly minRange?: number;
  /** "NAME=LO,HI": ranges that take the place of observed ones, of a tensor or of all that operators of a type give. */
  readonly range?: readonly string[];
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

export interface CalibrateOptions extends DataFlags, ObserverFlags, RunFlags {
  readonly model: string;
  /** The calibration state file. */
  readonly output: string;
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

/** Where the report goes, in which forms, and what relative gates compare with. */
export interface ReportFlags {
  /** The form follows from the extension: .html, .md, .xml (JUnit), .csv, .txt; else JSON. False: none. */
  readonly report?: string | false;
  /** Names of more forms (html, markdown, junit, csv, json, terminal), written beside `report` under their extensions. */
  readonly reportFormat?: readonly string[];
  /** HTML without any script. */
  readonly htmlStatic?: boolean;
  /** JSON report that relative gates compare with. */
  readonly baseline?: string;
  /** Make the report of this run the baseline, unless an error gate fails. */
  readonly updateBaseline?: boolean;
  /** Measure latency by operator too. */
  readonly profile?: boolean;
}

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
}

/** Settings of single formats. */
type FormatOnly =
  | 'format'
  | 'optimize'
  | 'weightObserver'
  | 'blockSize'
  | 'weightMethod'
  | 'accuracyLevel'
  | 'keepIo'
  | 'override'
  | 'recurrent';

export interface PrepareOptions extends Omit<DataFlags, 'eval'>, Omit<SchemeFlags, FormatOnly>, RunFlags {
  readonly model: string;
  readonly output: string;
  /** Bits of the weights of layers, and of the activations that enter one; 2 to 16. Default: all of their type. */
  readonly weightBits?: number;
  readonly activationBits?: number;
  /** Bits of both in the first and the last layers; default 8. */
  readonly firstLastBits?: number;
  /** Keep what folding BatchNormalization loses, so that fine-tuning can let it take part; default fold: do not. */
  readonly bn?: 'fold' | 'train' | 'freeze';
  readonly externalData: ExternalDataMode;
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

export interface FinetuneOptions extends TrainingFlags, DataFlags, JudgeFlags, ReportFlags, RunFlags {
  /** A model with fake quantizers. */
  readonly model: string;
  readonly output: string;
  /** As in QuantizeOptions, of the report; without `report` gates alone make the models be compared. */
  readonly gates: readonly string[];
  readonly layers?: boolean;
  readonly externalData: ExternalDataMode;
}

/** How to train. */
export interface TrainingFlags {
  /** Float model to distil from. Default: the model itself, as it is at first, without its fake quantizers. */
  readonly teacher?: string;
  /** Updates in all, or passes over the data; default 400 steps. */
  readonly steps?: number;
  readonly epochs?: number;
  readonly lr: number;
  /** "ce", "kl", "mse" or a mix such as "kl=1,ce=0.5". Default: ce with labels, else kl, and mse where there are no classes. */
  readonly loss?: string;
  /** Of kl. */
  readonly temperature: number;
  /** Of ce. */
  readonly labelSmoothing: number;
  readonly optimizer: string;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Of weights only. */
  readonly weightDecay: number;
  readonly schedule: 'constant' | 'cosine' | 'step';
  /** Steps during which the learning rate rises. */
  readonly warmup: number;
  /** How scales are trained. */
  readonly scales: 'lsq' | 'log' | 'none';
  /** Learning rate of scales, in parts of that of weights. */
  readonly scaleLr: number;
  /** Step after which scales rest. */
  readonly freezeScales?: number;
  /** What becomes of BatchNormalization that `prepareModel` kept; default: what was said there. */
  readonly bn?: 'fold' | 'train' | 'freeze';
  /** With `bn` train: step after which running statistics take the place of those of the batch; default: half of the steps. */
  readonly freezeBn?: number;
  readonly clipNorm?: number;
  readonly clipValue?: number;
  /** Batches per update. */
  readonly accumulate: number;
  /** Worker threads that share each batch. */
  readonly workers: number;
  /** "flip crop=4 color=0.1", or a module. */
  readonly augment?: string;
  /** Megabytes of decoded samples to keep, where they are used more than once. */
  readonly cache: number;
  /** Steps between evaluations; 0: only at the ends. */
  readonly evalEvery: number;
  /** Evaluations without a better result after which training ends. */
  readonly patience?: number;
  /** Whether the last or the best parameters are written. */
  readonly keep: 'last' | 'best';
  /** Folder of the checkpoint, and steps between two. */
  readonly checkpoint?: string;
  readonly checkpointEvery: number;
  /** Go on from the checkpoint. */
  readonly resume: boolean;
  /** JSON lines. */
  readonly log?: string;
}

/** `quantize --finetune`: `samples` and `batch` are those of training. */
export interface QuantizeFinetunedOptions
  extends Omit<QuantizeOptions, FormatOnly>, TrainingFlags, Pick<PrepareOptions, 'activationBits' | 'firstLastBits'> {}

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

export interface ConvertOptions extends RunFlags {
  /** A model with fake quantizers: of `prepareModel` or `finetuneModel`, or a QDQ model of another tool. */
  readonly model: string;
  readonly output: string;
  /** In how many bits weights of four bits or fewer are stored; the kernels are the same. */
  readonly storage: 'int8' | 'int4';
  readonly externalData: ExternalDataMode;
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
  readonly warnings: readonly string[];
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
  /** Absent when `report` was false. */
  readonly report?: Report;
  readonly warnings: readonly string[];
}

/** What a comparison judges besides labels. */
export interface JudgeFlags {
  /** A task judged against the float model: detection, segmentation, regression or sequence. */
  readonly task?: 'detection' | 'segmentation' | 'regression' | 'sequence';
  /** Settings of the task, `NAME=VALUE` each. */
  readonly taskOption?: readonly string[];
  /** Modules with metrics of the user's own. */
  readonly metric?: readonly string[];
}

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
