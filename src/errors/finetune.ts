/** Errors of prepare, finetune and convert. */
import { dataError, didYouMean, listed, usageError, type QdqError } from './qdq-error.ts';

const calmer =
  'lower --lr, raise --warmup, or limit the gradient with --clip-norm 1; the last checkpoint stays as it is';

export const finetuneErrors = {
  bits: (flag: string, bits: number, type: string): QdqError =>
    usageError(
      'QAT_BITS',
      `${flag} ${bits} does not fit ${type} codes`,
      flag.includes('activation') ? 'leave out --activation-type, or give u16 or s16' : 'give 16 or fewer',
    ),

  notPrepared: (model: string): QdqError =>
    dataError(
      'QAT_NOT_PREPARED',
      `${model} holds no fake quantizer: no QuantizeLinear and no DequantizeLinear`,
      "make one with 'qdq prepare'",
    ),

  badScale: (model: string, node: string, what: string): QdqError =>
    dataError(
      'QAT_SCALE',
      `${model}: '${node}' cannot be converted: ${what}, and a scale is a finite number above 0`,
      'the training went astray there: take an earlier checkpoint, or train or calibrate anew',
    ),

  notEqual: (model: string, output: string, difference: number, bound: number): QdqError =>
    dataError(
      'QAT_NOT_EQUAL',
      `${model}: onnxruntime computes the converted model otherwise than its source: '${output}' differs by ${difference.toPrecision(3)}, more than ${bound.toPrecision(3)}`,
      'nothing was written; give --data if the generated samples are unlike real ones, and please report it with the model',
    ),

  nothingNarrow: (model: string, wider: readonly string[]): QdqError =>
    dataError(
      'QAT_STORAGE',
      wider.length === 0
        ? `${model} has no constants in 8-bit codes that four bits could store`
        : `no weight of ${model} fits four bits: '${wider[0]}' and ${wider.length - 1} more use wider codes`,
      "'qdq prepare --weight-bits 4' makes weights of four bits; or leave out --storage int4",
    ),

  unknownLoss: (id: string, known: readonly string[]): QdqError =>
    usageError('QAT_LOSS_NAME', `unknown loss '${id}'`, didYouMean(id, known, `known losses: ${known.join(', ')}`)),

  lossSyntax: (text: string): QdqError =>
    usageError(
      'QAT_LOSS_SYNTAX',
      `--loss '${text}' is not a loss or a mix`,
      'write "kl", or "kl=1,ce=0.5"; weights are above 0',
    ),

  unknownOptimizer: (id: string, known: readonly string[]): QdqError =>
    usageError('QAT_OPTIMIZER', `unknown optimizer '${id}'`, didYouMean(id, known, `known: ${known.join(', ')}`)),

  noClasses: (
    loss: string,
    outputs: readonly { name: string; dims: readonly (number | string | null)[] }[],
  ): QdqError =>
    dataError(
      'QAT_CLASSES',
      `loss '${loss}' compares class scores of shape [batch, classes], and no output has that shape: ` +
        outputs.map(({ name, dims }) => `'${name}' is [${dims.join(', ')}]`).join(', '),
      'use --loss mse',
    ),

  noActivations: (loss: string): QdqError =>
    dataError(
      'QAT_CLASSES',
      `loss '${loss}' compares quantized activations, and the model has fake quantizers on weights alone`,
      'use --loss mse, or prepare with --activation-bits 8',
    ),

  nothingToTrain: (): QdqError =>
    dataError(
      'QAT_NOTHING_TO_TRAIN',
      'no constant of the model can be trained: none belongs to a layer or a fake quantizer on which the loss depends',
      "give a model of 'qdq prepare'; one of 'qdq convert' or 'qdq quantize' holds integers",
    ),

  noData: (): QdqError =>
    usageError('QAT_NO_DATA', '--finetune trains on samples, and there are none', 'give --data or --reader'),

  needsFinetune: (flag: string): QdqError =>
    usageError(
      'QAT_NEEDS_FINETUNE',
      `${flag} is for training, and nothing is trained`,
      'add --finetune, or leave it out',
    ),

  notFinetuned: (flag: string): QdqError =>
    usageError('QAT_NOT_FINETUNED', `${flag} has no effect with --finetune`, 'leave it out'),

  noNorms: (model: string, asked: string): QdqError =>
    dataError(
      'QAT_NO_NORMS',
      `${model} holds no statistics of BatchNormalization, which ${asked} needs`,
      "give --bn to 'qdq prepare' too, with a float model that still has its BatchNormalization",
    ),

  nothingLive: (model: string, asked: string): QdqError =>
    dataError(
      'QAT_NO_NORMS',
      `${model} has no BatchNormalization behind a layer with a constant weight, which ${asked} could keep`,
      'it may be folded already: leave --bn out, or export the model without folding (PyTorch: training=TrainingMode.PRESERVE)',
    ),

  freezeWithout: (mode: string): QdqError =>
    usageError(
      'QAT_FREEZE_BN',
      `--freeze-bn is for --bn train, and this is ${mode}`,
      'leave it out, or give --bn train',
    ),

  fewSamples: (count: number, batch: number): QdqError =>
    dataError(
      'QAT_FEW_SAMPLES',
      `${count} samples do not make one step of ${batch}`,
      `give more data, or --batch ${Math.max(1, count)} or fewer`,
    ),

  unlabelled: (sample: string): QdqError =>
    dataError('QAT_UNLABELLED', `sample '${sample}' has no label`, 'use --loss kl or mse, which need none'),

  label: (sample: string, label: number, classes: number): QdqError =>
    dataError(
      'QAT_LABEL',
      `sample '${sample}' has label ${label}, the model has the classes 0 to ${classes - 1}`,
      'check the labels, or train without them: --loss kl',
    ),

  nanLoss: (step: number, loss: number): QdqError =>
    dataError('QAT_NAN', `the loss of step ${step} is ${loss}`, calmer),

  exploding: (step: number, tensor: string): QdqError =>
    dataError('QAT_EXPLODING', `the gradient of '${tensor}' is not finite in step ${step}`, calmer),

  diverged: (step: number, loss: number, first: number): QdqError =>
    dataError(
      'QAT_DIVERGED',
      `training went astray: the loss of step ${step} is ${loss.toPrecision(3)}, after ${first.toPrecision(3)} at first`,
      calmer,
    ),

  batch: (batch: number, unit: number, fixed: boolean): QdqError =>
    usageError(
      'QAT_BATCH',
      `--batch ${batch} is not a multiple of ${unit}, ${fixed ? "the model's fixed batch" : 'the number of --workers'}`,
      `give --batch ${Math.max(unit, Math.round(batch / unit) * unit)}`,
    ),

  stateful: (): QdqError =>
    dataError(
      'QAT_STATEFUL',
      'models that carry state from sample to sample cannot be fine-tuned',
      'leave out --carry',
    ),

  resumeNowhere: (): QdqError =>
    usageError('QAT_RESUME', '--resume needs the folder of the checkpoint', 'add --checkpoint DIR'),

  stepsAndEpochs: (): QdqError =>
    usageError('QAT_STEPS', '--steps and --epochs say the same thing twice', 'leave out one of the two'),

  epochsOfStream: (): QdqError =>
    usageError('QAT_EPOCHS', '--epochs needs data whose number of samples is known', 'give --steps'),

  checkpointThere: (path: string): QdqError =>
    usageError(
      'QAT_CHECKPOINT_THERE',
      `${path} holds a training already`,
      'add --resume to go on with it, or give another folder',
    ),

  checkpoint: (path: string, why: string): QdqError =>
    dataError('QAT_CHECKPOINT', `${path}: cannot be resumed: ${why}`, 'remove it to start anew'),

  otherCheckpoint: (path: string, setting: string, before: unknown, now: unknown): QdqError =>
    usageError(
      'QAT_CHECKPOINT_OTHER',
      `${path} is of another training: '${setting}' was ${JSON.stringify(before) ?? 'not given'}, now it is ${JSON.stringify(now) ?? 'not given'}`,
      'give the same options as before, or another --checkpoint folder',
    ),

  teacherInput: (path: string, input: string, known: readonly string[]): QdqError =>
    dataError(
      'QAT_TEACHER',
      `${path} does not match: it wants an input '${input}', the model has ${listed(known)}`,
      "give the float model that 'qdq prepare' was given, or leave out --teacher",
    ),

  teacherOutput: (path: string, output: string, known: readonly string[]): QdqError =>
    dataError(
      'QAT_TEACHER',
      `${path} does not match: it has no output '${output}', but ${listed(known)}`,
      "give the float model that 'qdq prepare' was given, or leave out --teacher",
    ),

  teacherActivation: (path: string, name: string): QdqError =>
    dataError(
      'QAT_TEACHER',
      `${path} does not match: it has no '${name}', an activation that the loss 'features' compares`,
      "give the float model that 'qdq prepare' was given, leave out --teacher, or use a loss on outputs (kl, mse)",
    ),

  teacherShape: (path: string, output: string, own: readonly number[], wanted: readonly number[]): QdqError =>
    dataError(
      'QAT_TEACHER',
      `${path} does not match: its output '${output}' is [${own.join(', ')}], that of the model [${wanted.join(', ')}]`,
      "give the float model that 'qdq prepare' was given, or leave out --teacher",
    ),

  log: (path: string, cause: unknown): QdqError =>
    dataError('QAT_LOG', `${path}: cannot be written: ${(cause as Error).message}`, 'check the path of --log', cause),

  augment: (word: string, known: readonly string[]): QdqError =>
    usageError(
      'QAT_AUGMENT',
      `--augment: '${word}' is no augmentation`,
      didYouMean(word.split('=', 1)[0]!, known, `known: ${known.join(', ')}, each with "=amount", or a .mjs module`),
    ),

  augmentModule: (path: string, why: string, cause?: unknown): QdqError =>
    dataError(
      'QAT_AUGMENT_MODULE',
      `${path}: cannot be used to augment: ${why}`,
      'its default export is a function (sample, random) => sample',
      cause,
    ),

  augmentShape: (sample: string, type: string, dims: readonly number[]): QdqError =>
    dataError(
      'QAT_AUGMENT_SHAPE',
      `sample '${sample}' is ${type} [${dims.join(', ')}], and --augment changes float32 images [1, channels, height, width]`,
      'give a module that knows these samples, or leave out --augment',
    ),
};
