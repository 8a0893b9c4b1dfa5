/** Errors of the fusion room. A fusion that does not apply is data (see intrinsic/pass.ts), never an error. */
import { didYouMean, usageError, type QdqError } from '../errors.ts';

export const intrinsicErrors = {
  unknownPass: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'FUSE_UNKNOWN_PASS',
      `there is no fusion named '${name}' to skip`,
      didYouMean(name, known, `the fusions are ${known.join(', ')}`),
    ),
};
