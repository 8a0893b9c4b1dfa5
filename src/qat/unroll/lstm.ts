/** Long short-term memory (Hochreiter and Schmidhuber 1997) as ONNX defines it: gates in the order i, o, f, c. */
import type { Value } from '../../graph/value.ts';
import { columns, recur, type Cell } from './cell.ts';

export const lstm: Cell = {
  type: 'LSTM',
  gates: 4,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  states: [5, 6],
  peepholes: 7,
  refusal: (node) =>
    node.int('input_forget', 0) === 0 ? undefined : 'its input and forget gates are coupled (input_forget)',
  prepare({ emit, hidden, recurrence, recurrenceBias, peepholes, activations }) {
    const [gate, candidate, output] = activations as [Activation, Activation, Activation];
    const split = (): Value[] => {
      const row = emit.reshape(peepholes!, [3, hidden]);
      const parts = emit.ops('Split', [row, emit.ints([1, 1, 1])], 3, { axis: 0 });
      return parts;
    };
    const [fromI, fromO, fromF] = peepholes ? split() : [];
    const peep = (value: Value, state: Value, weight: Value | undefined): Value => {
      return weight ? emit.op('Add', [value, emit.op('Mul', [weight, state])]) : value;
    };
    return (projected, [h, c]) => {
      const sum = emit.op('Add', [projected, recur(emit, h!, recurrence, recurrenceBias)]);
      const [i, o, f, g] = columns(emit, sum, 4, hidden) as [Value, Value, Value, Value];
      const kept = emit.op('Mul', [gate(peep(f, c!, fromF)), c!]);
      const next = emit.op('Add', [kept, emit.op('Mul', [gate(peep(i, c!, fromI)), candidate(g)])]);
      return [emit.op('Mul', [gate(peep(o, next, fromO)), output(next)]), next];
    };
  },
};

type Activation = (value: Value) => Value;
