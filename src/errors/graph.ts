/** Errors of graphs that contradict themselves. */
import { dataError, type QdqError } from '../errors.ts';

const repair = 'the model is not valid ONNX; export it again, or check it with the exporter that wrote it';

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
