/** Stochastic gradient descent with momentum, as PyTorch defines it: m = μ·m + g; w −= lr·m, with Nesterov lr·(g + μ·m). */
import type { Optimizer } from './optimizer.ts';

export const sgd: Optimizer = {
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
