/**
 * Errors of calibration: tensors that cannot be observed, values that are not numbers, state files that do not fit, and calibration
 * tables of other tools.
 */
import { dataError, didYouMean, type QdqError, listed, usageError } from './qdq-error.ts';

/** A tensor that holds NaN or infinity, with where it comes from. */
export interface NotFinite {
  readonly tensor: string;
  /** Label of the producing node; undefined for a graph input. */
  readonly node: string | undefined;
  readonly found: 'NaN' | 'infinity';
  /** A constant of that node which holds the same. */
  readonly constant: string | undefined;
  /** Ids of the samples with which it happens. */
  readonly samples: readonly string[];
}

const again = "write it again with 'qdq calibrate'";

function notFiniteHint({ node, constant, found, tensor }: NotFinite): string {
  if (constant !== undefined)
    return 'the model itself is damaged: export it again from a checkpoint that gives finite outputs';
  if (node === undefined)
    return 'the data or its preprocessing (a division by zero, a bad normalization) makes it: correct the sample or leave it out';
  if (found === 'NaN')
    return 'run the float model on this sample: if its output is wrong too, correct or leave out the sample, else correct the model';
  return `exclude the node from quantization (--exclude '${node}') if infinity is meant, as in an attention mask, else correct '${tensor}'`;
}

/** Errors of observing tensors, and of the files that hold what was observed. */
export const calibrateErrors = {
  unknownTensor: (tensor: string, known: Iterable<string>): QdqError =>
    usageError(
      'CALIBRATE_UNKNOWN_TENSOR',
      `the model has no tensor '${tensor}'`,
      didYouMean(tensor, known, "'qdq inspect MODEL' shows what the model holds"),
    ),

  bodyTensor: (tensor: string, owner: string): QdqError =>
    usageError(
      'CALIBRATE_BODY_TENSOR',
      `tensor '${tensor}' stands in the body of node '${owner}' and cannot be read from outside`,
      'leave it out',
    ),

  constantTensor: (tensor: string): QdqError =>
    usageError(
      'CALIBRATE_CONSTANT',
      `tensor '${tensor}' is a constant`,
      'its range is its content; observe activations only',
    ),

  notFloat: (tensor: string, type: string): QdqError =>
    usageError(
      'CALIBRATE_NOT_FLOAT',
      `tensor '${tensor}' is ${type}: only floating-point tensors have a range to observe`,
    ),

  rangeSyntax: (text: string): QdqError =>
    usageError(
      'CALIBRATE_RANGE_SYNTAX',
      `--range '${text}' is not of the form NAME=LO,HI`,
      'name a tensor or an operator type, and two numbers: --range "features=-4,4"',
    ),

  rangeLimits: (text: string): QdqError =>
    usageError(
      'CALIBRATE_RANGE',
      `--range '${text}' has no limits that a range can have`,
      'the first number is smaller than the second, and 0 is between them or one of them: it must stay exact in int8',
    ),

  rangeTensor: (name: string, exists: boolean, known: readonly string[]): QdqError =>
    usageError(
      'CALIBRATE_RANGE_TENSOR',
      exists
        ? `--range: tensor '${name}' takes no range from samples: it is not quantized here, or its range follows from the model`
        : `--range: no tensor that takes a range from samples is named '${name}' or comes from an operator of that type`,
      didYouMean(name, known, known.length > 0 ? "'qdq explain MODEL' shows what is quantized" : 'this plan has none'),
    ),

  rangeTwice: (name: string): QdqError =>
    usageError('CALIBRATE_RANGE', `--range: '${name}' is given twice`, 'leave out one of the two'),

  unknownObserver: (id: string, known: readonly string[]): QdqError =>
    usageError(
      'CALIBRATE_OBSERVER',
      `there is no observer '${id}'`,
      didYouMean(id, known, `the observers are ${known.join(', ')}`),
    ),

  unknownOption: (observer: string, option: string, known: readonly string[]): QdqError =>
    usageError(
      'CALIBRATE_OBSERVER_OPTION',
      `observer '${observer}' has no option '${option}'`,
      didYouMean(option, known, known.length === 0 ? 'it takes none' : `its options are ${known.join(', ')}`),
    ),

  optionSyntax: (text: string): QdqError =>
    usageError(
      'CALIBRATE_OBSERVER_SYNTAX',
      `observer option '${text}' is not of the form NAME=NUMBER`,
      'write it like percentile=99.9',
    ),

  optionValue: (
    observer: string,
    option: string,
    value: number,
    { min, max }: { readonly min: number; readonly max: number },
  ): QdqError =>
    usageError(
      'CALIBRATE_OBSERVER_VALUE',
      `option '${option}' of observer '${observer}' cannot be ${value}`,
      `give a number from ${min} to ${max}`,
    ),

  batchSize: (size: number): QdqError =>
    usageError('CALIBRATE_BATCH_SIZE', `a batch cannot hold ${size} samples`, 'give a whole number of at least 1'),

  noTensors: (): QdqError =>
    usageError(
      'CALIBRATE_NO_TENSORS',
      'no tensor is to be observed',
      "'qdq inspect' shows what the model would quantize",
    ),

  noSamples: (source: string): QdqError =>
    dataError(
      'CALIBRATE_NO_SAMPLES',
      `no sample of '${source}' is selected for calibration`,
      'raise --samples or give other data',
    ),

  notFinite: (what: NotFinite): QdqError => {
    const from = what.node === undefined ? 'a graph input' : `made by node '${what.node}'`;
    const constant = what.constant === undefined ? '' : ` from its constant '${what.constant}'`;
    const samples = `${what.samples.length > 1 ? 'samples' : 'sample'} ${listed(what.samples)}`;
    const message = `tensor '${what.tensor}', ${from}${constant}, holds ${what.found} for ${samples}`;
    return dataError(what.found === 'NaN' ? 'CALIBRATE_NAN' : 'CALIBRATE_INFINITY', message, notFiniteHint(what));
  },

  stateNotFound: (path: string): QdqError =>
    usageError('CALIBRATE_STATE_NOT_FOUND', `${path}: no such file`, "check the path, or make it with 'qdq calibrate'"),

  stateUnreadable: (path: string, cause: unknown): QdqError =>
    dataError(
      'CALIBRATE_STATE_UNREADABLE',
      `${path}: cannot be read: ${(cause as Error).message}`,
      'check the path and its permissions',
      cause,
    ),

  stateTruncated: (path: string, needed: number, size: number): QdqError =>
    dataError('CALIBRATE_STATE_TRUNCATED', `${path}: cut short: ${size} bytes where ${needed} are needed`, again),

  stateForeign: (path: string, why: string): QdqError =>
    dataError('CALIBRATE_STATE_FOREIGN', `${path}: not a calibration state of qdq: ${why}`, again),

  stateNewer: (path: string, schema: number, known: number): QdqError =>
    dataError(
      'CALIBRATE_STATE_NEWER',
      `${path}: has calibration schema ${schema}, this qdq reads up to ${known}`,
      'use the qdq that wrote it, or a newer one',
    ),

  stateOtherModel: (path: string): QdqError =>
    dataError(
      'CALIBRATE_STATE_MODEL',
      `${path}: was calibrated with another model`,
      'ranges fit one model only: calibrate this one',
    ),
};

/** Errors of calibration tables of other tools. */
export const tableErrors = {
  format: (path: string, name: string, why: string): QdqError =>
    dataError('TABLE_FORMAT', `${path}: is not ${name}: ${why}`, 'write it again with the tool it comes from'),

  tensor: (path: string, tensor: string): QdqError =>
    dataError(
      'TABLE_TENSOR',
      `${path}: tensor '${tensor}' has no range of two finite numbers`,
      'calibrate per tensor, on finite data',
    ),

  noneFits: (path: string, wanted: readonly string[], held: readonly string[]): QdqError =>
    dataError(
      'TABLE_OTHER_MODEL',
      `${path}: has no range for any tensor that is quantized here, such as '${wanted[0]}'`,
      didYouMean(wanted[0] ?? '', held, 'it was made for another model, or for one whose tensors had other names'),
    ),
};
