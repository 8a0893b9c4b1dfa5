/** Errors of the stages as wholes. */
import { dataError, usageError, type QdqError } from '../errors.ts';

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
