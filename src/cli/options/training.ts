/** How a model with fake quantizers is trained. */
import { choice, flag, integer, path, real, text, type Option } from '../../config/option.ts';
import { defaults } from '../../defaults.ts';

const group = 'Training:';

export const training = {
  withFinetuning: flag({
    group,
    flag: 'finetune',
    default: false,
    describe: 'train the model with fake quantizers before it is made int8, as prepare, finetune and convert do',
  }),
  teacher: path({
    group,
    describe: 'float model to distil from',
    defaultText: "the model's own float weights",
  }),
  steps: integer({ group, min: 1, describe: 'updates in all', defaultText: '400' }),
  epochs: integer({ group, min: 1, describe: 'passes over the data, instead of --steps' }),
  lr: real({
    group,
    min: 0,
    default: defaults.lr,
    describe:
      'learning rate; with BatchNormalization folded rarely above .005 with sgd, and about a tenth of it with adam',
  }),
  loss: text({
    group,
    describe: 'ce (labels), kl, mse or features (distillation), or a mix: "kl=1,ce=0.5"',
    expects: 'a loss, or a mix such as "kl=1,ce=0.5"',
    defaultText: 'ce with labels, else kl; "mse,features=.02" without classes',
  }),
  temperature: real({ group, min: 0.1, default: defaults.temperature, describe: 'of kl' }),
  labelSmoothing: real({ group, min: 0, max: 1, default: defaults.labelSmoothing, describe: 'of ce' }),
  optimizer: choice(['sgd', 'adam', 'adamw'], {
    group,
    default: defaults.optimizer,
    describe: 'how gradients move the parameters',
  }),
  momentum: real({ group, min: 0, max: 1, default: defaults.momentum, describe: 'of sgd' }),
  nesterov: flag({ group, default: defaults.nesterov, describe: "Nesterov's momentum, for sgd" }),
  weightDecay: real({
    group,
    min: 0,
    default: defaults.weightDecay,
    describe: 'of weights; biases and scales are spared',
  }),
  schedule: choice(['cosine', 'constant', 'step'], {
    group,
    default: defaults.schedule,
    describe: 'learning rate over time; step: a tenth after half of the steps and again after three quarters',
  }),
  warmup: integer({
    group,
    min: 0,
    default: defaults.warmup,
    describe: 'steps in which the learning rate rises',
  }),
  scales: choice(['lsq', 'log', 'none'], {
    group,
    default: defaults.scales,
    describe: 'how scales are trained: with the gradient of LSQ (of up to 8 bits), in the logarithm, or not at all',
  }),
  scaleLr: real({
    group,
    min: 0,
    default: defaults.scaleLr,
    describe: 'learning rate of scales, in parts of --lr',
  }),
  freezeScales: integer({ group, min: 0, describe: 'step after which scales rest' }),
  bn: choice(['fold', 'train', 'freeze'], {
    group,
    describe:
      'BatchNormalization: fold it into the weights, train with the statistics of each batch, or freeze them at the running ones',
    defaultText: 'prepare: fold; finetune: as prepared',
  }),
  freezeBn: integer({
    group,
    min: 0,
    describe: 'step after which --bn train uses running statistics and lets them rest',
    defaultText: 'half of the steps',
  }),
  clipNorm: real({ group, min: 0, describe: 'largest norm of the gradient' }),
  clipValue: real({ group, min: 0, describe: 'largest magnitude of each element of the gradient' }),
  accumulate: integer({ group, min: 1, default: defaults.accumulate, describe: 'batches per update' }),
  augment: text({
    group,
    describe: 'for images: "flip crop=4 color=0.1"; or a module, (sample, random) => sample',
    expects: '"flip crop=4 color=0.1", or a .mjs module',
  }),
  cache: integer({
    group,
    min: 0,
    default: defaults.cache,
    describe: 'megabytes of decoded samples to keep, where samples are used more than once; 0: none',
  }),
  evalEvery: integer({
    group,
    min: 0,
    default: defaults.evalEvery,
    describe: 'steps between evaluations on --eval, or on a tenth of --data that is held out; 0: only at the ends',
  }),
  patience: integer({
    group,
    min: 1,
    describe: 'evaluations without a better result after which training ends with the best',
  }),
  keep: choice(['last', 'best'], {
    group,
    default: defaults.keep,
    describe: 'which parameters to write: of the last step, or of the best evaluation',
  }),
  checkpoint: path({ group, describe: 'folder for the checkpoint, from which --resume goes on' }),
  checkpointEvery: integer({
    group,
    min: 1,
    default: defaults.checkpointEvery,
    describe: 'steps between checkpoints',
  }),
  resume: flag({
    group,
    default: defaults.resume,
    describe: 'go on from the checkpoint: the result has the same bytes as without the stop',
  }),
  log: path({ group, describe: 'file for loss, learning rate and metric of every step, as JSON lines' }),
} satisfies Record<string, Option>;
