/** Errors of calibration tables of other tools. */
import { dataError, didYouMean, type QdqError } from '../errors.ts';

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
