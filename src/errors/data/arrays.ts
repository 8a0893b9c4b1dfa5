/** Array files, TensorProto sets and reader modules. */
import { dataError, didYouMean, listed, usageError, type QdqError } from '../qdq-error.ts';
import { type Dims, expects, type Input, reason, rewrite, shape } from './samples.ts';

export const arrays = {
  badNpy: (name: string, what: string): QdqError =>
    dataError('DATA_NPY', `'${name}' is not an .npy array that can be read: ${what}`, rewrite),

  npyType: (name: string, descr: string): QdqError =>
    dataError(
      'DATA_NPY_TYPE',
      `'${name}' has dtype ${descr}`,
      'save a plain little-endian float, integer or bool array',
    ),

  badSafetensors: (name: string, cause: Error): QdqError =>
    dataError('DATA_SAFETENSORS', `'${name}' cannot be read as safetensors: ${cause.message}`, rewrite, cause),

  arrayShape: (name: string, dims: Dims, input: Input): QdqError =>
    dataError(
      'DATA_SHAPE',
      `array '${name}' is ${shape(dims)}, but ${expects(input)}`,
      `samples lie along the first axis: ${shape(['N', ...input.dims.slice(1)])} or ${shape(['N', ...input.dims])}`,
    ),

  arrayCounts: (name: string, count: number, first: string, firstCount: number): QdqError =>
    dataError(
      'DATA_COUNT',
      `array '${name}' has ${count} samples, '${first}' has ${firstCount}`,
      'give every array one row per sample',
    ),

  arraysUnmatched: (path: string, name: string, found: readonly string[]): QdqError =>
    dataError(
      'DATA_INPUT_MISSING',
      `'${path}' has no array for model input '${name}' (found ${listed(found)})`,
      didYouMean(name, found, 'name the arrays after the inputs'),
    ),

  npyOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_INPUT_MISSING',
      `'${path}' is one array; the model has the inputs ${listed(inputs.map(({ name }) => name))}`,
      'give .npz with one array per input',
    ),

  textOneInput: (path: string, inputs: readonly Input[]): QdqError =>
    usageError(
      'DATA_INPUT_MISSING',
      `'${path}' has the numbers of one input; the model has ${listed(inputs.map(({ name }) => name))}`,
      'give .jsonl: {"input name": nested arrays, ...} on each line; or texts, with --preprocess "tokenizer=tokenizer.json"',
    ),

  textLine: (id: string, what: string): QdqError =>
    dataError('DATA_TEXT', `${id}: ${what}`, 'correct the line, or skip it with --skip-bad'),

  textRagged: (id: string, name: string): QdqError =>
    dataError(
      'DATA_TEXT',
      `${id}: the arrays of input '${name}' are not of one length`,
      'correct the line, or skip it with --skip-bad',
    ),

  labelsArray: (path: string, type: string, dims: Dims): QdqError =>
    dataError('DATA_LABELS', `the labels in '${path}' are ${type} ${shape(dims)}`, 'give one integer per sample'),

  protoBroken: (path: string, cause: unknown): QdqError =>
    dataError('DATA_TENSOR_PROTO', `'${path}' is not a TensorProto that can be read: ${reason(cause)}`, rewrite, cause),

  protoFiles: (path: string, found: readonly string[], inputs: readonly Input[]): QdqError =>
    dataError(
      'DATA_TENSOR_PROTO',
      `'${path}' has ${listed(found)} for the ${inputs.length} inputs ${listed(inputs.map(({ name }) => name))}`,
      'a set has input_0.pb, input_1.pb, ... in the order of the model inputs',
    ),

  readerImport: (path: string, cause: unknown): QdqError =>
    dataError(
      'READER_IMPORT',
      `reader '${path}' cannot be imported: ${reason(cause)}`,
      'a reader is a JavaScript module (.mjs, .js or .cjs)',
      cause,
    ),

  readerExport: (path: string, found: string): QdqError =>
    dataError(
      'READER_EXPORT',
      `reader '${path}' exports ${found}`,
      "export default (or 'reader') a generator function, an iterable, or {length, get(i)}",
    ),

  readerFailed: (path: string, position: number, cause: unknown): QdqError =>
    dataError(
      'READER_FAILED',
      `reader '${path}' failed at sample ${position}: ${reason(cause)}`,
      'the error comes from the module itself',
      cause,
    ),

  readerSample: (where: string, found: string): QdqError =>
    dataError(
      'READER_SAMPLE',
      `${where} is ${found}`,
      'a sample is {input: typed array or {data, dims}, label?}, or the bare typed array of a model with one input',
    ),

  readerDims: (where: string, input: Input, length: number): QdqError =>
    dataError(
      'READER_DIMS',
      `${where}: ${expects(input)}; ${length} elements do not tell the open dimensions`,
      'yield {data, dims} instead of the bare array',
    ),
};
