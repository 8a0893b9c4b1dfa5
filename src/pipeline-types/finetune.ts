/** Of quantization-aware fine-tuning: prepare, finetune, convert, and all of it in one. */
import type { Report } from '../compare/report.ts';
import type { DataFlags, ExternalDataMode, JudgeFlags, ReportFlags, RunFlags, SchemeFlags } from './flags.ts';
import type { PlanSummary, QuantizeOptions, QuantizeResult } from './quantize.ts';

/** Settings of single formats. */
type FormatOnly =
  | 'format'
  | 'optimize'
  | 'weightObserver'
  | 'embeddingBits'
  | 'blockSize'
  | 'weightMethod'
  | 'accuracyLevel'
  | 'keepIo'
  | 'floatType'
  | 'override'
  | 'recurrent'
  | 'improve';

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

/** Without `data` or `reader` the result is proven on generated samples. */
export interface ConvertOptions extends DataFlags, RunFlags {
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
  /** Number of samples on which the result was compared with its source. */
  readonly samples: number;
  /** Largest difference of an output there, in units of its range. */
  readonly worstDifference?: number;
  readonly warnings: readonly string[];
}
