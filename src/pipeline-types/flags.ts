/** Settings that several stages share. */

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
  /**
   * Operator set of the result: an older model is upgraded to it, and no further. Default: the least that is needed, and what
   * operators that stand in parts need as wholes (LayerNormalization 17, Gelu 20, RMSNormalization 23), where the target runs them.
   */
  readonly opset?: number;
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
  /** weight-only: bits of an element of a table that rows are picked from; default 8. */
  readonly embeddingBits?: number;
  /** weight-only: weights that share a scale, a power of two from 16 to 256. */
  readonly blockSize?: number;
  /** weight-only: round to nearest, or half-quadratic zero points. */
  readonly weightMethod?: 'rtn' | 'hqq';
  /** weight-only: 4 multiplies in int8, 1 in float32. */
  readonly accuracyLevel?: number;
  /** fp16, bf16: inputs and outputs stay float32. */
  readonly keepIo?: boolean;
  /** qdq: what stays float computes in float16, on targets that run it. */
  readonly floatType?: 'float32' | 'float16';
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

/** What a comparison judges besides labels. */
export interface JudgeFlags {
  /** A task judged against the float model: detection, segmentation, regression or sequence. */
  readonly task?: 'detection' | 'segmentation' | 'regression' | 'sequence';
  /** Settings of the task, `NAME=VALUE` each. */
  readonly taskOption?: readonly string[];
  /** Modules with metrics of the user's own. */
  readonly metric?: readonly string[];
}
