/** Recurrent layers: weights of the input and of the state, and their biases. For gradients they are unrolled (`qat/unroll`). */
import type { OpSpec } from './op.ts';

export const recurrent: OpSpec = {
  types: ['LSTM', 'GRU', 'RNN'],
  learnable: () => [1, 2, 3],
};
