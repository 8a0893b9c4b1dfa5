/**
 * The optional parts of the report: what looks inside (every quantized tensor, the sensitivity of every layer, classes one by one, causes,
 * latency by operator), and how the model was made (health of the calibration, training, corrections). A report has those that were
 * asked for. First the terms that all parts of the schema are made of.
 */
import { z } from 'zod';

/** JSON has no NaN and no infinities: they are strings in files and numbers in memory. (Of an enum TypeScript would publish invalid types: its keys look like numbers.) */
export const real = z.union([z.number(), z.literal(['NaN', 'Infinity', '-Infinity']).transform(Number)]);
export const count = z.int().min(0);
export const fraction = z.number().min(0).max(1);
export const better = z.enum(['higher', 'lower']);
export const interval95 = z.tuple([z.number(), z.number()]);

const span = z.strictObject({ min: real, max: real });

/** A histogram or a list of channels is cut here, so that the report of a model of 300 layers stays small. */
export const mostBins = 64;
export const mostChannels = 64;

const isolated = z
  .strictObject({
    sqnrDb: real,
    rmseOverScale: real.describe('ideal rounding gives 1/√12 = 0.289; more is clipping, less is codes that go unused'),
    saturatedPct: real.describe('per cent of elements beyond the first or last code'),
    zeroedPct: real.describe('per cent of elements that are not 0 and become 0'),
  })
  .describe('this quantizer alone, applied to the float value');

const channel = z.strictObject({
  index: count,
  min: real,
  max: real,
  scale: real,
  sqnrDb: real.optional(),
});

export const tensorRow = z.strictObject({
  name: z.string().describe('in the quantized model'),
  origin: z.string().nullable().describe("the float model's tensor; null when none could be paired with it"),
  unpaired: z.string().optional().describe('why there is no origin, or why errors are missing'),
  node: z.string().describe('label of the node that makes it; for weights, that reads it'),
  op: z.string(),
  kind: z.enum(['activation', 'weight']),
  bits: count.describe('0 for a tensor that is not quantized (two float models)'),
  scheme: z.string().describe("'u8 per tensor', 's8 per channel'"),
  axis: z.int().optional(),
  scale: span.optional().describe('over all channels'),
  zeroPoint: span.optional().describe('over all channels'),
  isolated: isolated.optional(),
  accumulated: z
    .strictObject({ sqnrDb: real, cosine: real, maxAbs: real.optional() })
    .optional()
    .describe('both models run whole, this tensor of both compared; weights have none'),
  range: z
    .strictObject({
      min: real,
      max: real,
      clipMin: real.optional().describe('the least value that the codes can say'),
      clipMax: real.optional(),
      p01: real.optional().describe('0.1 % quantile, to the width of a histogram bin'),
      p999: real.optional().describe('99.9 % quantile'),
    })
    .optional()
    .describe('of the float values'),
  histogram: z
    .strictObject({
      edges: z
        .array(real)
        .max(mostBins + 1)
        .describe('one more than counts, ascending'),
      counts: z.array(count).max(mostBins),
    })
    .optional()
    .describe('of the float values'),
  channels: z
    .strictObject({
      count: count.describe('of the tensor; `shown` may be fewer'),
      spread: real.describe('largest channel magnitude over the median one'),
      shown: z.array(channel).max(mostChannels).describe('evenly spaced in order of magnitude, the largest first'),
    })
    .optional(),
});

export const layerFacts = z.strictObject({
  n: count.describe('samples that the tensor errors were measured on'),
  tensors: count.describe('quantized tensors in the model'),
  paired: count.describe('of them, with a float tensor to compare with'),
});

export const sensitivity = z.strictObject({
  metric: z.string().describe("as in gates: 'output.sqnr'"),
  unit: z.string(),
  better,
  n: count.describe('samples'),
  base: real.describe('the metric with every layer quantized'),
  layers: z
    .array(
      z.strictObject({
        node: z.string(),
        op: z.string(),
        fast: real.describe('first-order estimate of `alone`'),
        alone: real.optional().describe('measured, with only this layer quantized'),
        leftFloat: real.optional().describe('measured, with only this layer left float'),
      }),
    )
    .describe('most sensitive first'),
  spearman: real.optional().describe('rank correlation of fast and alone'),
  exclude: z.array(z.string()).optional().describe('the shortest list of nodes found that meets `until`'),
  until: z
    .strictObject({
      gate: z.string(),
      value: real.describe('measured on a model quantized without `exclude`'),
      pass: z.boolean(),
    })
    .optional(),
});

export const classRow = z.strictObject({
  label: count,
  name: z.string().optional(),
  n: count.describe('samples with this label'),
  float: fraction.describe('of them right in the float model'),
  quant: fraction,
  delta: z.number(),
  ci95: interval95.describe('of delta, paired'),
});

export const causeRow = z.strictObject({
  tensor: z.string(),
  node: z.string(),
  op: z.string(),
  cause: z.enum([
    'clipping',
    'outliers',
    'range too wide',
    'weight channel spread',
    'inherited',
    'saturating products',
    'not finite',
  ]),
  text: z.string().describe('one sentence with the figures that show it'),
  tryFlag: z.string().optional().describe('what to add to the command line'),
});

export const confusion = z.strictObject({
  output: z.string(),
  classes: count,
  agreed: count.describe('samples to which both models give the same class'),
  pairs: z
    .array(z.strictObject({ float: count, quant: count, n: count }))
    .describe('where they differ: class of the float model, of the quantized model, how often; most frequent first'),
});

export const profile = z.strictObject({
  runs: count,
  ops: z.array(z.strictObject({ op: z.string(), floatMs: real, quantMs: real })),
});

export type TensorRow = z.output<typeof tensorRow>;
export type Isolated = z.output<typeof isolated>;
export type LayerFacts = z.output<typeof layerFacts>;
export type Sensitivity = z.output<typeof sensitivity>;
export type ClassRow = z.output<typeof classRow>;
export type CauseRow = z.output<typeof causeRow>;
export type Confusion = z.output<typeof confusion>;
export type Profile = z.output<typeof profile>;

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

/** A tensor with channels that never change. */
const channelFinding = z.strictObject({
  tensor: z.string(),
  channels: count.describe('such channels'),
  of: count.describe('channels in all'),
  which: z.array(count).describe('which they are, from 0'),
});

export const health = z
  .strictObject({
    samples: count,
    tensors: count.describe('whose range was observed'),
    byChannel: count.describe('of these, tensors whose channels were told apart'),
    growing: z
      .array(z.strictObject({ tensor: z.string(), share: fraction }))
      .describe('share of its range that a tenth of the samples adds'),
    outliers: z
      .array(z.strictObject({ tensor: z.string(), ratio: z.number() }))
      .describe('largest magnitude over the usual one'),
    dead: z.array(channelFinding).describe('channels that are always 0'),
    constant: z.array(channelFinding).describe('channels that hold one value throughout'),
  })
  .describe('what the calibration tells of itself');
