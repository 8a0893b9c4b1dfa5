/** Errors of worker threads as such; what fails in their work comes through as it was. */
import { dataError, type QdqError } from '../errors.ts';

export const parallelErrors = {
  worker: (how: string, cause?: unknown): QdqError =>
    dataError(
      'PARALLEL_WORKER',
      `a worker thread ended before its work was done: ${how}`,
      'fewer --workers need less memory; with --workers 1 no worker is used',
      cause,
    ),
};
