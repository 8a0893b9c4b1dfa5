/** The part of the report that tells how a fine-tuned model was trained. */
import { z } from 'zod';
import { count, real } from './report-terms.ts';

export const training = z
  .strictObject({
    loss: z.string().describe("as --loss writes it: 'kl', 'kl=1,ce=0.5'"),
    steps: count,
    keptStep: count.describe('whose parameters were written'),
    endedEarly: z.boolean().describe('patience had ended'),
    parameters: count.describe('trained values'),
    stepMs: real,
    curve: z
      .array(z.strictObject({ step: count, loss: real, lr: real }))
      .describe('at most 400 points; loss is the mean over the steps since the point before, lr that of the step'),
    evaluations: z
      .array(z.strictObject({ step: count, value: real }))
      .describe('metric on the samples that judged, step 0 being before training; at most 400'),
    metric: z.enum(['top1', 'agreement', 'sqnr']).optional().describe('of the evaluations'),
  })
  .describe('how the model was fine-tuned');

export type Training = z.output<typeof training>;
