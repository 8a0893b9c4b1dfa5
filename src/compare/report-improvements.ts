/** Part of the Report's schema: corrections of a quantized model without training, and what they did. */
import { z } from 'zod';
import { count, real } from './report-terms.ts';

export const improvement = z.strictObject({
  name: z.enum(['bias']).describe('bias: the mean error of every channel goes into its bias'),
  kept: z.boolean().describe('false: it was not worth it, and the model is what it would be without'),
  layers: count.describe('that it reached'),
  samples: count.describe('that judged it: of those that calibrated, and not used to work it out'),
  outputs: z.array(
    z.strictObject({
      name: z.string(),
      before: real.describe('dB of signal over noise without it, mean over the samples'),
      after: real.describe('with it'),
    }),
  ),
});

/** A correction of a quantized model, and what it did. */
export type Improvement = z.output<typeof improvement>;
