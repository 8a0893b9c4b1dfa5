/**
 * Squared error of what flows inside the model, at every fake quantizer, against the float teacher's: relative as in mse, mean over
 * the tensors. Where the outputs say little (a saturated softmax, a few images), every layer still has something to learn from.
 */
import type { Loss } from './loss.ts';
import { relativeError } from './mse.ts';

export const features: Loss = {
  id: 'features',
  summary: "squared error of the quantized activations inside against the float teacher's, relative to their size",
  needs: 'teacher',
  compares: 'activations',
  takes: () => true,
  build: relativeError,
};
