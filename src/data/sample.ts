/** What the data room hands to every later room: named tensors, one sample or one batch at a time. */
import type { QdqError } from '../errors/qdq-error.ts';
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';

/** A model input that needs feeding. A symbolic or unknown dimension is its name or null. */
export interface InputInfo {
  readonly name: string;
  readonly type: DataTypeName;
  readonly dims: readonly (number | string | null)[];
  /** Along which samples lie side by side; the first one unless the operators that read the input say otherwise. */
  readonly batchAxis?: number;
}

/** What is fed to a model at once, and its label. */
export interface Sample {
  /** Stable identity: file name relative to the data folder, or `name#row`. */
  readonly id: string;
  /** One tensor per model input, batch axis included (size 1 where the model has one). */
  readonly inputs: Readonly<Record<string, TensorValue>>;
  /** Class index, when the data has labels. */
  readonly label?: number;
  /** What this sample continues: the state of a stateful model lasts as long as this stays the same. */
  readonly sequence?: string;
}

/** Samples that share a run. */
export interface Batch {
  readonly ids: readonly string[];
  /** As the model takes them: filled up where it takes no fewer. */
  readonly inputs: Readonly<Record<string, TensorValue>>;
  /** Same length as ids, or undefined when the data has no labels. */
  readonly labels: readonly number[] | undefined;
  /** Number of samples, without those that fill it up. */
  readonly size: number;
  /** What it was made of. */
  readonly samples: readonly Sample[];
  /** Of the first sample. */
  readonly sequence?: string | undefined;
}

/** Which samples: explicit positions in ascending order, or an open range for sources of unknown length. */
export type Selection = readonly number[] | { readonly from: number; readonly to?: number };

/** An output of a stateful model that is its input in the next run of the same sequence. */
export interface Carry {
  readonly output: string;
  readonly input: string;
}

/** Position in the dataset, and what is wrong. */
export type OnBad = (position: number, error: QdqError) => void;

/** A sample that was left out. */
export interface Skipped {
  readonly position: number;
  /** One line that names the sample. */
  readonly why: string;
}

/** Samples of one `--data` argument, preprocessed for one model. Reading is lazy and repeatable. */
export interface Dataset {
  /** The path or name as the user gave it. */
  readonly source: string;
  /** image-folder, npy, npz, safetensors, wav, text, tensor-proto, reader, random. */
  readonly format: string;
  /** Number of samples, undefined for a stream whose end is not known. */
  readonly count: number | undefined;
  readonly labelled: boolean;
  /** The preprocessing in canonical spec form, undefined when the data is taken as it is. */
  readonly preprocess: string | undefined;
  /** True for generated data: reports must say so loudly. */
  readonly synthetic: boolean;
  /** Lengths of the sequences that the samples make up, in order; undefined when all may be one. */
  readonly sequences?: readonly number[] | undefined;
  /** Inputs that are the same in all samples. */
  readonly constants?: readonly string[] | undefined;
  /** By input, where it is not the first one: InputInfo.batchAxis, as the float model tells it. */
  readonly batchAxes?: ReadonlyMap<string, number> | undefined;
  /** The state of a stateful model; samples hold its zero. They must then be run one by one and in order. */
  readonly carry?: readonly Carry[] | undefined;
  /**
   * @param onBad told of each sample that cannot be read or does not fit, which is then left out; without it that is an error
   */
  samples(selection: Selection, onBad?: OnBad): AsyncIterable<Sample>;
  /** The samples of a selection that were left out so far, by position; undefined where a bad sample is an error. */
  readonly skipped?: ((selection: Selection) => readonly Skipped[]) | undefined;
  /** sha256 over the ids of a selection; undefined for a stream. */
  idsHash(selection: Selection): string | undefined;
}
