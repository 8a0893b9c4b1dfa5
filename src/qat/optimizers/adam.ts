/**
 * Adam (Kingma and Ba 2015) with β = (0.9, 0.999), ε = 1e-8: w −= lr·m̂ / (√v̂ + ε). Weight decay is part of the gradient, and in
 * AdamW (Loshchilov and Hutter 2019) taken off the weights themselves.
 */
import type { Optimizer } from './optimizer.ts';

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

export const adam: Optimizer = {
  id: 'adam',
  summary: 'Adam; weight decay as part of the gradient',
  slots,
  step: adamLike(false),
};

export const adamw: Optimizer = {
  id: 'adamw',
  summary: 'Adam with decoupled weight decay',
  slots,
  step: adamLike(true),
};
