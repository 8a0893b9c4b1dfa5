/** Errors of writing the quantized graph. */
import { dataError, didYouMean, usageError, type QdqError } from '../errors.ts';

export const quantizedErrors = {
  noRange: (tensor: string, known: Iterable<string>): QdqError =>
    dataError(
      'QUANT_NO_RANGE',
      `no calibrated range for tensor '${tensor}'`,
      didYouMean(tensor, known, 'calibrate again with this model; a state file belongs to one model and recipe'),
    ),

  badRange: (tensor: string, min: number, max: number): QdqError =>
    dataError(
      'QUANT_BAD_RANGE',
      `the range of tensor '${tensor}' is [${min}, ${max}]`,
      'a range must be finite and in order; calibrate again',
    ),

  weightObserver: (id: string, known: readonly string[]): QdqError =>
    usageError(
      'QUANT_WEIGHT_OBSERVER',
      `there is no weight observer '${id}'`,
      didYouMean(id, known, `the weight observers are ${known.join(', ')}`),
    ),
};
