/** Errors of the stages as wholes, and of the files that they read and write. */
import { firstLine } from './backends.ts';
import { usageError, type QdqError, dataError } from './qdq-error.ts';

/** Errors of a stage as a whole. */
export const pipelineErrors = {
  gatesWithoutReport: (gate: string): QdqError =>
    usageError(
      'QUANT_GATE_NO_REPORT',
      `--gate '${gate}' needs the comparison that --no-report leaves out`,
      'leave out one of the two',
    ),

  gatesTooLarge: (gate: string, bytes: number): QdqError =>
    usageError(
      'QUANT_GATE_TOO_LARGE',
      `--gate '${gate}' needs both models to be run, and the float model of ${(bytes / 1e9).toFixed(1)} GB does not fit in the memory of this machine`,
      "leave the gate out, and use 'qdq compare' on a machine with more memory",
    ),

  needsRun: (format: string, operators: string): QdqError =>
    dataError(
      'QUANT_NEEDS_RUN',
      `format ${format} observes ranges, so it has to run the model, and nothing here runs ${operators}: onnxruntime-node registers no libraries of custom operators`,
      'use --format dynamic, weight-only, fp16 or bf16, which need no run, or give ranges that were observed elsewhere with --state',
    ),

  gatesNotRun: (gate: string, operators: string): QdqError =>
    usageError(
      'QUANT_GATE_NOT_RUN',
      `--gate '${gate}' needs both models to be run, and nothing here runs ${operators}`,
      'leave the gate out, and compare the models where the library of these operators is',
    ),

  fixedReshape: (model: string, input: string, node: string, size: number, cause: QdqError): QdqError =>
    dataError(
      'FIXED_RESHAPE',
      `'${model}' declares an open batch for input '${input}', but does not run with one sample: ${cause.message}; Reshape '${node}' gives the batch the fixed size ${size}`,
      `export the model again with a batch of 1 or ${size}, or with a Reshape that begins with 0 or -1`,
      cause,
    ),

  notEqual: (model: string, output: string, difference: number, bound: number): QdqError =>
    dataError(
      'FUSE_NOT_EQUAL',
      `fusing ${model} changed output '${output}' by ${difference.toExponential(2)} of its range, more than the bound ${bound.toExponential(2)}`,
      "nothing was written; leave fusions out with --skip to find the one at fault, and please report it ('qdq fuse --help' lists them)",
    ),

  textsNotEqual: (model: string, output: string, before: string, after: string, sample: string): QdqError =>
    dataError(
      'FUSE_NOT_EQUAL',
      `fusing ${model} changed a text of output '${output}' from '${before}' to '${after}' at sample '${sample}'`,
      'nothing was written; two scores of the sample may be equal but for rounding: give others with --data, or leave fusions out with --skip',
    ),
};

/** Errors of the places that a run writes to, all found before any work is done. */
export const placeErrors = {
  /** @param what the input is, in words that name its path */
  outputIsInput: (flag: string, path: string, what: string): QdqError =>
    usageError(
      'OUTPUT_IS_INPUT',
      `${flag}: '${path}' would replace ${what}, and no input is ever overwritten`,
      'choose another output name',
    ),

  holdsInput: (flag: string, path: string, what: string): QdqError =>
    usageError(
      'OUTPUT_IS_INPUT',
      `${flag}: the working folder '${path}', which is removed at the end, holds ${what}`,
      'choose another output name, or move the input',
    ),

  twice: (first: string, second: string, path: string): QdqError =>
    usageError(
      'OUTPUT_TWICE',
      `${first} and ${second} name the same file '${path}'`,
      'choose another name for one of them',
    ),

  noFolder: (flag: string, folder: string): QdqError =>
    usageError(
      'OUTPUT_NO_FOLDER',
      `${flag}: there is no folder '${folder}' to write into`,
      'create it first (mkdir -p)',
    ),

  isFolder: (flag: string, path: string): QdqError =>
    usageError('OUTPUT_IS_FOLDER', `${flag}: '${path}' is a folder, not a file`, 'give a file name'),

  notAFolder: (flag: string, path: string): QdqError =>
    usageError('OUTPUT_NOT_A_FOLDER', `${flag}: '${path}' is a file, not a folder`, 'give the name of a folder'),

  locked: (path: string, lock: string, holder: { readonly pid: number; readonly host: string | undefined }): QdqError =>
    usageError(
      'OUTPUT_LOCKED',
      `process ${holder.pid}${holder.host === undefined ? '' : ` on ${holder.host}`} is writing '${path}'`,
      holder.host === undefined
        ? 'wait for it, or choose another output name'
        : `wait for it, or choose another output name; if that run is over, remove '${lock}'`,
    ),

  unwritable: (flag: string, folder: string, cause: unknown): QdqError =>
    usageError(
      'OUTPUT_UNWRITABLE',
      `${flag}: nothing can be written into folder '${folder}': ${firstLine(cause)}`,
      'choose another folder, or mend its permissions',
    ),
};
