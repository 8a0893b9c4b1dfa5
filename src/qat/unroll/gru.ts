/** Gated recurrent unit (Cho et al. 2014) as ONNX defines it: gates in the order z, r, h. */
import type { Value } from '../../graph/value.ts';
import { columns, recur, type Cell } from './cell.ts';

export const gru: Cell = {
  type: 'GRU',
  gates: 3,
  activations: ['Sigmoid', 'Tanh'],
  states: [5],
  prepare({ emit, node, hidden, recurrence, recurrenceBias, activations }) {
    const [gate, candidate] = activations as [Activation, Activation];
    const sizes = emit.ints([2 * hidden, hidden]);
    const rows = (value: Value): Value[] => emit.ops('Split', [value, sizes], 2, { axis: 0 });
    const [gates, own] = rows(recurrence) as [Value, Value];
    const [gateBias = null, ownBias = null] = recurrenceBias ? rows(recurrenceBias) : [];
    const one = emit.scalar(1);
    const linearFirst = node.int('linear_before_reset', 0) !== 0;
    return (projected, [h]) => {
      const [forGates, forOwn] = emit.ops('Split', [projected, sizes], 2, { axis: 1 }) as [Value, Value];
      const both = gate(emit.op('Add', [forGates, recur(emit, h!, gates, gateBias)]));
      const [z, r] = columns(emit, both, 2, hidden) as [Value, Value];
      const recurrent = linearFirst
        ? emit.op('Mul', [r, recur(emit, h!, own, ownBias)])
        : recur(emit, emit.op('Mul', [r, h!]), own, ownBias);
      const fresh = candidate(emit.op('Add', [forOwn, recurrent]));
      const renewed = emit.op('Mul', [emit.op('Sub', [one, z]), fresh]);
      return [emit.op('Add', [renewed, emit.op('Mul', [z, h!])])];
    };
  },
};

type Activation = (value: Value) => Value;
