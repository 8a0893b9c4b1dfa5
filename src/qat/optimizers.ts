/**
 * Optimizers, which move parameters by their gradients, and schedules of the learning rate. All arithmetic is in float64 on float32
 * arrays, element by element in order, so that the same gradients give the same bytes everywhere.
 *
 *   sgd          m ← μ·m + g,  w ← w − lr·m,  with Nesterov w ← w − lr·(g + μ·m)      (as PyTorch defines it)
 *   adam, adamw  m ← β₁·m + (1 − β₁)·g,  v ← β₂·v + (1 − β₂)·g²,  w ← w − lr·m̂ / (√v̂ + ε)
 *
 * with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t, β = (0.9, 0.999), ε = 1e-8 (Kingma and Ba 2015). Weight decay is part of
 * the gradient g; in AdamW (Loshchilov and Hutter 2019) it is taken off the weights themselves.
 *
 * To add an optimizer: write it here and list it in `optimizers`.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import { findNamed } from '../errors/qdq-error.ts';

/** A run of elements of the flat array that are treated alike. */
interface Segment {
  readonly from: number;
  readonly to: number;
  readonly lr: number;
  /** Weight decay; 0 for biases and scales. */
  readonly decay: number;
}

/** Settings of single optimizers. */
export interface OptimizerOptions {
  /** Of sgd. */
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** How a gradient moves the parameters. */
export interface Optimizer {
  /** What `--optimizer` names. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  /** Arrays of the length of the parameters that it keeps, zero at first. */
  readonly slots: readonly string[];
  /** @param step from 1 */
  step(
    segment: Segment,
    parameters: Float32Array,
    gradients: Float32Array,
    state: Readonly<Record<string, Float32Array>>,
    step: number,
    options: OptimizerOptions,
  ): void;
}

const sgd: Optimizer = {
  id: 'sgd',
  summary: 'gradient descent with momentum',
  slots: ['momentum'],
  step({ from, to, lr, decay }, parameters, gradients, state, _step, { momentum, nesterov }) {
    const m = state['momentum']!;
    for (let i = from; i < to; i++) {
      const g = gradients[i]! + decay * parameters[i]!;
      const moved = (m[i] = momentum * m[i]! + g);
      parameters[i] = parameters[i]! - lr * (nesterov ? g + momentum * moved : moved);
    }
  },
};

const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];

function adamLike(decoupled: boolean): Optimizer['step'] {
  return ({ from, to, lr, decay }, parameters, gradients, state, step) => {
    const [m, v] = [state['mean']!, state['square']!];
    const size = lr / (1 - beta1 ** step);
    const correction = Math.sqrt(1 - beta2 ** step);
    for (let i = from; i < to; i++) {
      const w = decoupled ? parameters[i]! * (1 - lr * decay) : parameters[i]!;
      const g = decoupled ? gradients[i]! : gradients[i]! + decay * w;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      parameters[i] = w - (size * m[i]!) / (Math.sqrt(v[i]!) / correction + epsilon);
    }
  };
}

const slots = ['mean', 'square'];

const adam: Optimizer = {
  id: 'adam',
  summary: 'Adam; weight decay as part of the gradient',
  slots,
  step: adamLike(false),
};

const adamw: Optimizer = {
  id: 'adamw',
  summary: 'Adam with decoupled weight decay',
  slots,
  step: adamLike(true),
};

/** Every optimizer that `--optimizer` can name. */
export const optimizers: readonly Optimizer[] = [sgd, adam, adamw];

/** @throws QAT_OPTIMIZER with the nearest one */
export function optimizerOf(id: string): Optimizer {
  return findNamed(optimizers, id, (optimizer) => optimizer.id, finetuneErrors.unknownOptimizer);
}

type ScheduleName = 'constant' | 'cosine' | 'step';

/** How the learning rate changes from step to step. */
export interface Schedule {
  readonly name: ScheduleName;
  /** Steps in all. */
  readonly steps: number;
  /** First steps during which the rate rises linearly. */
  readonly warmup: number;
}

/** `step`: a tenth after half of the steps, and a hundredth after three quarters. */
const drops = [0.5, 0.75];

/**
 * The learning rate at a step (from 0), as a factor between 0 and 1 of the one asked for. Cosine falls to 0 after the last step (Loshchilov
 * and Hutter 2017, without restarts).
 */
export function rateFactor({ name, steps, warmup }: Schedule, step: number): number {
  if (step < warmup) return (step + 1) / (warmup + 1);
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  switch (name) {
    case 'constant':
      return 1;
    case 'cosine':
      return (1 + Math.cos(Math.PI * progress)) / 2;
    case 'step':
      return 0.1 ** drops.filter((at) => progress >= at).length;
  }
}
