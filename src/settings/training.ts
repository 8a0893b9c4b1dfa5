/** How a model with fake quantizers is trained. */
import { choice, flag, integer, path, real, text } from './setting.ts';
import { trained } from './stages.ts';

const group = 'Training:';

export const training = {
  withFinetuning: flag({
    group,
    stages: ['quantize', 'quantizeFinetuned'],
    option: false,
    flag: 'finetune',
    default: false,
    describe: 'train the model with fake quantizers before it is made int8, as prepare, finetune and convert do',
  }),
  /** Float model to distil from. Default: the model itself, as it is at first, without its fake quantizers. */
  teacher: path({
    group,
    reads: { kind: 'model', as: 'the teacher' },
    stages: trained,
    describe: 'float model to distil from',
    defaultText: "the model's own float weights",
  }),
  /** Updates in all, or passes over the data; default 400 steps. */
  steps: integer({ group, stages: trained, min: 1, describe: 'updates in all', defaultText: '400' }),
  epochs: integer({ group, stages: trained, min: 1, describe: 'passes over the data, instead of --steps' }),
  lr: real({
    group,
    stages: trained,
    min: 0,
    default: 0.002,
    describe:
      'learning rate; with BatchNormalization folded rarely above .005 with sgd, and about a tenth of it with adam',
  }),
  /** "ce", "kl", "mse" or a mix such as "kl=1,ce=0.5". Default: ce with labels, else kl, and mse where there are no classes. */
  loss: text({
    group,
    stages: trained,
    describe: 'ce (labels), kl, mse or features (distillation), or a mix: "kl=1,ce=0.5"',
    expects: 'a loss, or a mix such as "kl=1,ce=0.5"',
    defaultText: 'ce with labels, else kl; "mse,features=.02" without classes',
  }),
  /** Of kl. */
  temperature: real({ group, stages: trained, min: 0.1, default: 1, describe: 'of kl' }),
  /** Of ce. */
  labelSmoothing: real({ group, stages: trained, min: 0, max: 1, default: 0, describe: 'of ce' }),
  optimizer: choice(['sgd', 'adam', 'adamw'], {
    group,
    stages: trained,
    default: 'sgd',
    describe: 'how gradients move the parameters',
  }),
  momentum: real({ group, stages: trained, min: 0, max: 1, default: 0.9, describe: 'of sgd' }),
  nesterov: flag({ group, stages: trained, default: false, describe: "Nesterov's momentum, for sgd" }),
  /** Of weights only. */
  weightDecay: real({
    group,
    stages: trained,
    min: 0,
    default: 0,
    describe: 'of weights; biases and scales are spared',
  }),
  schedule: choice(['cosine', 'constant', 'step'], {
    group,
    stages: trained,
    default: 'cosine',
    describe: 'learning rate over time; step: a tenth after half of the steps and again after three quarters',
  }),
  /** Steps during which the learning rate rises. */
  warmup: integer({
    group,
    stages: trained,
    min: 0,
    default: 0,
    describe: 'steps in which the learning rate rises',
  }),
  /** How scales are trained. */
  scales: choice(['lsq', 'log', 'none'], {
    group,
    stages: trained,
    default: 'lsq',
    describe: 'how scales are trained: with the gradient of LSQ (of up to 8 bits), in the logarithm, or not at all',
  }),
  /** Learning rate of scales, in parts of that of weights. */
  scaleLr: real({
    group,
    stages: trained,
    min: 0,
    default: 1,
    describe: 'learning rate of scales, in parts of --lr',
  }),
  /** Step after which scales rest. */
  freezeScales: integer({ group, stages: trained, min: 0, describe: 'step after which scales rest' }),
  /**
   * prepare: train and freeze keep what folding BatchNormalization loses, so that fine-tuning can let it take part; default fold.
   * finetune: what becomes of it; default: what was said at prepare.
   */
  bn: choice(['fold', 'train', 'freeze'], {
    group,
    stages: ['prepare', ...trained],
    describe:
      'BatchNormalization: fold it into the weights, train with the statistics of each batch, or freeze them at the running ones',
    defaultText: 'prepare: fold; finetune: as prepared',
  }),
  /** With `bn` train: step after which running statistics take the place of those of the batch; default: half of the steps. */
  freezeBn: integer({
    group,
    stages: trained,
    min: 0,
    describe: 'step after which --bn train uses running statistics and lets them rest',
    defaultText: 'half of the steps',
  }),
  clipNorm: real({ group, stages: trained, min: 0, describe: 'largest norm of the gradient' }),
  clipValue: real({ group, stages: trained, min: 0, describe: 'largest magnitude of each element of the gradient' }),
  /** Batches per update. */
  accumulate: integer({ group, stages: trained, min: 1, default: 1, describe: 'batches per update' }),
  /** "flip crop=4 color=0.1", or a module. */
  augment: text({
    group,
    reads: { kind: 'text', as: 'the augmentation' },
    stages: trained,
    describe: 'for images: "flip crop=4 color=0.1"; or a module, (sample, random) => sample',
    expects: '"flip crop=4 color=0.1", or a .mjs module',
  }),
  /** Megabytes of decoded samples to keep, where they are used more than once. */
  cache: integer({
    group,
    stages: trained,
    min: 0,
    default: 64,
    describe: 'megabytes of decoded samples to keep, where samples are used more than once; 0: none',
  }),
  /** Steps between evaluations; 0: only at the ends. */
  evalEvery: integer({
    group,
    stages: trained,
    min: 0,
    default: 100,
    describe: 'steps between evaluations on --eval, or on a tenth of --data that is held out; 0: only at the ends',
  }),
  /** Evaluations without a better result after which training ends. */
  patience: integer({
    group,
    stages: trained,
    min: 1,
    describe: 'evaluations without a better result after which training ends with the best',
  }),
  /** Whether the last or the best parameters are written. */
  keep: choice(['last', 'best'], {
    group,
    stages: trained,
    default: 'last',
    describe: 'which parameters to write: of the last step, or of the best evaluation',
  }),
  /** Folder of the checkpoint, and steps between two. */
  checkpoint: path({ group, stages: trained, describe: 'folder for the checkpoint, from which --resume goes on' }),
  checkpointEvery: integer({
    group,
    stages: trained,
    min: 1,
    default: 50,
    describe: 'steps between checkpoints',
  }),
  /** Go on from the checkpoint. */
  resume: flag({
    group,
    stages: trained,
    default: false,
    describe: 'go on from the checkpoint: the result has the same bytes as without the stop',
  }),
  /** JSON lines. */
  log: path({
    group,
    stages: trained,
    describe: 'file for loss, learning rate and metric of every step, as JSON lines',
  }),
};
