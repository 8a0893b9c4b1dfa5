/**
 * The training losses: what each compares the model with, and the nodes that compute it. All are means over the batch.
 *
 *   ce        −Σ t·log p                   p: softmax of the outputs, t: target probabilities, which hold the label smoothing
 *   kl        T²·Σ q·(log q − log p)       p, q: softmax of student and teacher at temperature T
 *   mse       Σ (y − t)² / Σ t²            y, t: one output of student and teacher, the sums over one sample
 *   features  as mse                       at every fake quantizer inside, mean over the tensors
 *
 * To add one: write it here and list it in `losses`.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import { findNamed } from '../errors/qdq-error.ts';
import { axesBut, type Emitter } from '../graph/emitter.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';

/** One term of the training loss. */
export interface LossTerm {
  /** Id of the loss. */
  readonly loss: string;
  readonly weight: number;
  /** Of distillation. */
  readonly temperature: number;
}

/** One tensor of the model, and what a loss compares it with. */
export interface Compared {
  /** Of the model that is trained, float32. */
  readonly output: Value;
  readonly dims: readonly number[];
  /** Same shape: what the teacher has there, or target probabilities. */
  readonly wanted: Value;
}

interface LossContext {
  readonly batch: number;
  readonly temperature: number;
}

interface Loss {
  /** What `--loss` names. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  readonly needs: 'labels' | 'teacher';
  /** What of the model it compares: its outputs, or the activations that are quantized inside. */
  readonly compares: 'outputs' | 'activations';
  /** Whether it can compare outputs of this shape. */
  takes(dims: readonly number[], batch: number): boolean;
  /** Appends nodes; returns one number, the mean over the batch. */
  build(emit: Emitter, compared: Compared, context: LossContext): Value;
}

/** Scores of shape [batch, classes]. */
export function hasClasses(dims: readonly number[], batch: number): boolean {
  return dims.length === 2 && dims[0] === batch && dims[1]! >= 2;
}

const ce: Loss = {
  id: 'ce',
  summary: 'cross-entropy with the labels',
  needs: 'labels',
  compares: 'outputs',
  takes: hasClasses,
  build(emit, { output, wanted }, { batch }) {
    const terms = emit.op('Mul', [wanted, emit.op('LogSoftmax', [output], { axis: 1 })]);
    return emit.op('Mul', [emit.op('ReduceSum', [terms], { keepdims: 0 }), emit.scalar(-1 / batch)]);
  },
};

/**
 * Distillation (Hinton et al. 2015): the Kullback-Leibler divergence of the model's softmax from the teacher's, times T², so that
 * gradients keep their size at any temperature.
 */
const kl: Loss = {
  id: 'kl',
  summary: "divergence from the float teacher's class probabilities",
  needs: 'teacher',
  compares: 'outputs',
  takes: hasClasses,
  build(emit, { output, wanted }, { batch, temperature }) {
    const cooled = (value: Value): Value =>
      temperature === 1 ? value : emit.op('Mul', [value, emit.scalar(1 / temperature)]);
    const teacher = cooled(wanted);
    const logs = emit.op('LogSoftmax', [teacher], { axis: 1 });
    const difference = emit.op('Sub', [logs, emit.op('LogSoftmax', [cooled(output)], { axis: 1 })]);
    const terms = emit.op('Mul', [emit.op('Softmax', [teacher], { axis: 1 }), difference]);
    return emit.op('Mul', [emit.op('ReduceSum', [terms], { keepdims: 0 }), emit.scalar(temperature ** 2 / batch)]);
  },
};

/** Of the mean square: what keeps an output that is zero for a whole sample from dividing by zero. */
const tiny = 1e-12;

/** Squared error relative to the teacher's output: outputs of any scale weigh alike, and −10·log10 of it is the SQNR. */
const mse: Loss = {
  id: 'mse',
  summary: "squared error against the float teacher's outputs, relative to their size",
  needs: 'teacher',
  compares: 'outputs',
  takes: () => true,
  build: relativeError,
};

/** Appends Σ (y − t)² / Σ t² of each sample; returns one number, the mean over the samples. */
function relativeError(emit: Emitter, { output, dims, wanted }: Compared, { batch }: LossContext): Value {
  const perSample = dims.length > 0 && dims[0]! % batch === 0;
  const rows = perSample ? batch : 1;
  const flat = [rows, elementCount([...dims]) / rows];
  const axes = axesBut(2, 0);
  const error = emit.reshape(emit.op('Sub', [output, wanted]), flat);
  const reference = emit.reshape(wanted, flat);
  const sum = emit.sum(emit.op('Mul', [error, error]), axes, false);
  const power = emit.sum(emit.op('Mul', [reference, reference]), axes, false);
  const relative = emit.op('Div', [sum, emit.op('Add', [power, emit.scalar(tiny * flat[1]!)])]);
  return emit.op('Mul', [emit.op('ReduceSum', [relative], { keepdims: 0 }), emit.scalar(1 / rows)]);
}

/**
 * Squared error at every fake quantizer against the teacher's value of the same name (`showInside` makes those outputs). Where the
 * outputs say little (a saturated softmax, a few images), every layer still has something to learn from: a detector at 4 bits has a
 * few dB inside and 32 dB at its outputs.
 */
const features: Loss = {
  id: 'features',
  summary: "squared error of the quantized activations inside against the float teacher's, relative to their size",
  needs: 'teacher',
  compares: 'activations',
  takes: () => true,
  build: relativeError,
};

/** Every loss that `--loss` can name. */
export const losses: readonly Loss[] = [ce, kl, mse, features];

/** @throws QAT_LOSS_NAME with the nearest one */
export function lossOf(id: string): Loss {
  return findNamed(losses, id, (loss) => loss.id, finetuneErrors.unknownLoss);
}

/**
 * Reads the value of `--loss`: "kl", or a mix such as "kl=1,ce=0.5".
 * @throws QAT_LOSS_NAME, QAT_LOSS_SYNTAX
 */
export function parseLoss(text: string, temperature: number): LossTerm[] {
  const terms = text.split(',').map((word): LossTerm => {
    const [, id, weight] = /^\s*([\w-]+)\s*(?:=\s*(\d+(?:\.\d+)?|\.\d+))?\s*$/.exec(word) ?? [];
    if (id === undefined || (weight !== undefined && Number(weight) === 0)) throw finetuneErrors.lossSyntax(text);
    return { loss: lossOf(id).id, weight: weight === undefined ? 1 : Number(weight), temperature };
  });
  const twice = terms.find(({ loss }, i) => terms.findIndex((other) => other.loss === loss) !== i);
  if (twice) throw finetuneErrors.lossSyntax(text);
  return terms;
}
