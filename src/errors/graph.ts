/** Errors of graphs before anything is quantized: they contradict themselves, cannot be upgraded to an opset, or a fusion is not known. */
import { didYouMean, usageError, type QdqError, dataError } from './qdq-error.ts';

const repair = 'the model is not valid ONNX; export it again, or check it with the exporter that wrote it';

/** Errors of graphs that contradict themselves. */
export const graphErrors = {
  definedTwice: (tensor: string, what: string): QdqError =>
    dataError('GRAPH_DEFINED_TWICE', `tensor '${tensor}' is defined twice (second time as ${what})`, repair),

  undefinedInput: (tensor: string, node: string, graph: string): QdqError =>
    dataError(
      'GRAPH_UNDEFINED',
      `node '${node}' reads tensor '${tensor}', which nothing in graph '${graph}' defines`,
      repair,
    ),

  undefinedOutput: (tensor: string, graph: string): QdqError =>
    dataError('GRAPH_UNDEFINED', `graph '${graph}' lists output '${tensor}', which nothing defines`, repair),

  functionCycle: (name: string): QdqError =>
    dataError('GRAPH_FUNCTION_CYCLE', `the model's function '${name}' calls itself`, repair),

  cycle: (node: string, graph: string): QdqError =>
    dataError('GRAPH_CYCLE', `node '${node}' in graph '${graph}' depends on its own output`, repair),
};

/** Errors of upgrading the opset: models too old for it, versions nobody knows, and operators whose meaning cannot be carried over. */
export const opsetErrors = {
  /** @param where 'the model', or "function 'f'" */
  tooOld: (where: string, from: number, to: number, oldest: number): QdqError =>
    dataError(
      'OPSET_TOO_OLD',
      `${where} is opset ${from} and cannot be upgraded to opset ${to}: operators before opset ${oldest} mean something else`,
      `export the model with opset ${to} or later`,
    ),

  unknown: (opset: number, newest: number): QdqError =>
    usageError(
      'OPSET_UNKNOWN',
      `cannot upgrade to opset ${opset}: the newest that is known is ${newest}`,
      `ask for opset ${newest} or less`,
    ),

  tooLow: (asked: number, least: number): QdqError =>
    usageError(
      'OPSET_TOO_LOW',
      `--opset ${asked} is too old for what is asked: its operators need opset ${least}`,
      `--opset ${least} or later`,
    ),

  /** @param node its label, and the function it stands in; `from` and `to` are opsets */
  cannotUpgrade: (node: string, opType: string, from: number, to: number, reason: string): QdqError =>
    dataError(
      'OPSET_CANNOT_UPGRADE',
      `node '${node}' (${opType}) cannot be upgraded from opset ${from} to ${to}: ${reason}`,
      `export the model with opset ${to} or later`,
    ),
};

/** Errors of fusing. A fusion that does not apply is data (see intrinsic/pass.ts), never an error. */
export const intrinsicErrors = {
  unknownPass: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'FUSE_UNKNOWN_PASS',
      `there is no fusion named '${name}' to skip`,
      didYouMean(name, known, `the fusions are ${known.join(', ')}`),
    ),
};
