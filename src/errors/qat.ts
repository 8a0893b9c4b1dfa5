/** Errors of fine-tuning: graphs that cannot be differentiated, and shapes that are not known. */
import { dataError, listed, type QdqError } from './qdq-error.ts';

export interface NotDifferentiable {
  readonly node: string;
  readonly opType: string;
  readonly reason: string;
}

export const qatErrors = {
  notDifferentiable: (nodes: readonly NotDifferentiable[]): QdqError =>
    dataError(
      'QAT_NOT_DIFFERENTIABLE',
      `the loss cannot be differentiated through ${nodes.length === 1 ? 'a node' : `${nodes.length} nodes`} between it and the trained tensors: ` +
        nodes.map(({ node, opType, reason }) => `'${node}' (${opType}): ${reason}`).join('; '),
      'train only tensors behind these nodes, or export the model with other operators in their place',
    ),

  unreachable: (tensors: readonly string[]): QdqError =>
    dataError(
      'QAT_UNREACHABLE',
      `the loss does not depend on ${listed(tensors)}`,
      'leave these tensors as they are, or add the outputs they lead to to the loss',
    ),

  loss: (tensor: string, problem: string): QdqError =>
    dataError('QAT_LOSS', `'${tensor}' cannot be the loss: ${problem}`, 'the loss is one float32 number'),

  unknownShape: (tensor: string): QdqError =>
    dataError(
      'QAT_SHAPE',
      `the shape of '${tensor}' is not known, and gradients are built for fixed shapes`,
      'trace the shapes of the graph with one batch first (traceShapes)',
    ),

  batchNormOutput: (node: string, tensor: string): QdqError =>
    dataError(
      'QAT_BATCH_NORM',
      `'${tensor}', the running statistics that BatchNormalization '${node}' computes, is read in the graph`,
      'export the model in inference mode, or keep its BatchNormalization frozen (--bn freeze)',
    ),

  normCount: (node: string): QdqError =>
    dataError(
      'QAT_NORM_COUNT',
      `a batch holds one value per channel behind '${node}': that has no variance`,
      'raise --batch, use fewer --workers, or give --bn freeze',
    ),

  normRecord: (key: string, cause: unknown): QdqError =>
    dataError(
      'QAT_NORM_RECORD',
      `the statistics of BatchNormalization in the metadata '${key}' are damaged`,
      "make the model anew with 'qdq prepare --bn', or fine-tune it with --bn fold",
      cause,
    ),

  unroll: (node: string, opType: string, reason: string): QdqError =>
    dataError(
      'QAT_UNROLL',
      `${opType} '${node}' cannot be unrolled: ${reason}`,
      'export the recurrent layer in its default form, or leave it untrained',
    ),
};
