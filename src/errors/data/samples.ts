/** Errors of samples held against the inputs of the model, and how all errors of data describe inputs, shapes and causes. */
import { dataError, didYouMean, listed, usageError, type QdqError } from '../qdq-error.ts';

/** A shape; null is a dimension without a size and without a name. */
export type Dims = readonly (number | string | null)[];

/** An input of the model, as messages describe it. */
export interface Input {
  readonly name: string;
  readonly type: string;
  readonly dims: Dims;
}

/** Size of an image in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** "[1, N, ?]" */
export const shape = (dims: Dims): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
/** "input 'x' takes float32 [1, 3, 224, 224]" */
export const expects = ({ name, type, dims }: Input): string => `input '${name}' takes ${type} ${shape(dims)}`;
/** The first line of what was thrown. */
export const reason = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.trim();

/** "224x224" */
export const pixels = ({ width, height }: Size): string => `${width}x${height}`;

/** The hint for files that are damaged. */
export const rewrite = 'write the file again, or check that it was copied whole';

/** An input, and how many samples fill its fixed batch. */
export interface Repeated {
  readonly input: Input;
  readonly times: number;
}

export const samples = {
  inputMissing: (where: string, name: string, found: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_MISSING',
      `${where}: nothing for model input '${name}' (found ${listed(found)})`,
      'name every array after its input',
    ),

  inputUnknown: (where: string, name: string, known: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_UNKNOWN',
      `${where}: the model has no input '${name}'`,
      didYouMean(name, known, `its inputs are ${listed(known)}; leave out the rest`),
    ),

  wrongType: (where: string, input: Input, type: string): QdqError =>
    dataError('DATA_TYPE', `${where}: ${expects(input)}, the data is ${type}`, `convert the data to ${input.type}`),

  wrongShape: (where: string, input: Input, dims: Dims): QdqError =>
    dataError(
      'DATA_SHAPE',
      `${where}: ${expects(input)}, the data is ${shape(dims)}`,
      'bring the data into the shape that the model takes (images: --preprocess), or leave bad samples out with --skip-bad',
    ),

  wrongLength: (where: string, input: Input, dims: Dims, length: number): QdqError =>
    dataError(
      'DATA_LENGTH',
      `${where}: input '${input.name}' of shape ${shape(dims)} comes with ${length} elements`,
      'give as many elements as the shape has',
    ),

  outOfRange: (where: string, input: Input, cause: unknown): QdqError =>
    dataError('DATA_RANGE', `${where}: input '${input.name}': ${reason(cause)}`, `convert the data to ${input.type}`),

  notFinite: (where: string, name: string, index: number): QdqError =>
    dataError(
      'DATA_NOT_FINITE',
      `${where}: input '${name}' has NaN or infinity at element ${index}`,
      'remove or repair the sample, or leave it out with --skip-bad: one such value spoils every range',
    ),

  badLabel: (where: string, label: unknown): QdqError =>
    dataError('DATA_LABEL', `${where}: label ${String(label)} is not a class index`, 'labels are integers'),

  labelMissing: (where: string): QdqError =>
    dataError('DATA_LABEL', `${where} has no label, others in its batch have one`, 'label all samples or none'),

  unsupportedType: (where: string, input: Input): QdqError =>
    dataError(
      'DATA_TYPE_UNSUPPORTED',
      `${where}: ${expects(input)}, and samples of that type are not supported`,
      'give float, integer or boolean inputs',
    ),

  unevenBatch: (id: string, name: string, dims: Dims, firstId: string, firstDims: Dims): QdqError =>
    dataError(
      'DATA_BATCH_SHAPE',
      `${id}: input '${name}' is ${shape(dims)}, '${firstId}' in the same batch is ${shape(firstDims)}`,
      'use --batch 1, or give all samples one shape',
    ),

  unevenRows: (id: string, input: Input, rows: number): QdqError =>
    dataError(
      'DATA_ROWS',
      `${id}: ${expects(input)}, and ${rows} rows do not fill that batch without a rest`,
      'give samples of one row, or of a number that divides the batch',
    ),

  unevenInputs: (id: string, first: Repeated, other: Repeated): QdqError =>
    dataError(
      'DATA_ROWS',
      `${id}: ${expects(first.input)}, which ${first.times} such samples fill, but ${expects(other.input)}, which ${other.times} fill`,
      'give samples whose inputs fill the batch together',
    ),

  randomSize: (input: Input, most: number): QdqError =>
    dataError(
      'DATA_RANDOM_SIZE',
      `${expects(input)}: more than ${most} elements, which random data is not made for`,
      "the model declares the size: check it with 'qdq inspect', or export it with an open dimension",
    ),

  randomShape: (input: Input): QdqError =>
    usageError(
      'DATA_RANDOM_SHAPE',
      `${expects(input)}: random data cannot know the open dimensions`,
      'give real samples with --data or --reader',
    ),

  constantForm: (words: string): QdqError =>
    usageError('DATA_INPUT_VALUE', `--input ${words}: a constant is NAME=NUMBER`, 'for instance --input sr=16000'),

  carryForm: (words: string): QdqError =>
    usageError('DATA_CARRY', `--carry ${words}: state is carried as OUTPUT=INPUT`, 'for instance --carry stateN=state'),

  fixedUnknown: (words: string, name: string, known: readonly string[]): QdqError =>
    usageError(
      'DATA_INPUT_UNKNOWN',
      `${words}: the model has no input '${name}'`,
      didYouMean(name, known, `its inputs are ${listed(known)}`),
    ),

  fixedTwice: (name: string): QdqError =>
    usageError('DATA_INPUT_VALUE', `input '${name}' is given twice by --input or --carry`, 'give it once'),

  fixedAll: (): QdqError =>
    usageError(
      'DATA_INPUT_VALUE',
      'every input is given by --input or --carry: nothing is left for the samples',
      'leave at least one input to --data',
    ),

  carryUnknown: (output: string, input: string, known: readonly string[]): QdqError =>
    usageError(
      'DATA_CARRY',
      `--carry ${output}=${input}: the model has no output '${output}'`,
      didYouMean(output, known, `its outputs are ${listed(known)}; the form is OUTPUT=INPUT`),
    ),

  carryShape: (output: string, made: { readonly type: string; readonly dims: Dims }, input: Input): QdqError =>
    dataError(
      'DATA_CARRY',
      `output '${output}' is ${made.type} ${shape(made.dims)}, but ${expects(input)} at the start`,
      'carry an output to an input of the same type and shape',
    ),

  carryBatch: (size: number): QdqError =>
    usageError(
      'DATA_CARRY',
      `--carry runs one sample after the other; a batch of ${size} cannot be`,
      'export the model with a free batch dimension or one of 1, and leave --batch out',
    ),

  carryShard: (): QdqError =>
    usageError('DATA_CARRY', '--carry runs one sample after the other, so there are no shards', 'leave --shard out'),
};
