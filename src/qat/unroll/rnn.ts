/** The plain recurrent cell: h' = f(x·Wᵀ + h·Rᵀ + biases). */
import { recur, type Cell } from './cell.ts';

export const rnn: Cell = {
  type: 'RNN',
  gates: 1,
  activations: ['Tanh'],
  states: [5],
  prepare({ emit, recurrence, recurrenceBias, activations }) {
    return (projected, [h]) => [
      activations[0]!(emit.op('Add', [projected, recur(emit, h!, recurrence, recurrenceBias)])),
    ];
  },
};
