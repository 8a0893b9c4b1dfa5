/**
 * The cells of the recurrent operators: their gates, their states, and one step in time, built of plain operators that have gradients.
 *
 *   RNN   h' = f(x·Wᵀ + h·Rᵀ + biases)
 *   LSTM  c' = f∘c + i∘g,  h' = o∘h(c'),  gates in ONNX's order i, o, f, c     (Hochreiter and Schmidhuber 1997)
 *   GRU   h' = (1 − z)∘h̃ + z∘h,           gates in ONNX's order z, r, h        (Cho et al. 2014)
 *
 * To add one: write it here and list it in `cells`.
 */
import type { Value } from '../graph/value.ts';
import type { Emitter } from '../graph/emitter.ts';
import type { Node } from '../graph/node.ts';

/** Appends an activation function. */
type Activation = (value: Value) => Value;

/** One direction of one node. `gates` stands for the cell's number of gates. */
interface Direction {
  readonly emit: Emitter;
  readonly node: Node;
  readonly hidden: number;
  /** [gates · hidden, hidden] and [gates · hidden]. */
  readonly recurrence: Value;
  readonly recurrenceBias: Value | null;
  /** [3 · hidden], LSTM only. */
  readonly peepholes: Value | null;
  /** The cell's functions, in the order in which the operator lists them. */
  readonly activations: readonly Activation[];
}

/** From the input's share of the gates, [batch, gates · hidden], and the states, [batch, hidden] each, to the next states. */
type Step = (projected: Value, states: readonly Value[]) => Value[];

/** A recurrent operator, as unrolling sees it. */
export interface Cell {
  readonly type: string;
  readonly gates: number;
  /** Of each direction. */
  readonly activations: readonly string[];
  /** Positions of the initial states among the inputs; the first state is also the output of a step. */
  readonly states: readonly number[];
  /** Position of the peepholes among the inputs. */
  readonly peepholes?: number;
  /** Attributes that are not supported at these values, with the reason. */
  refusal?(node: Node): string | undefined;
  /** What is the same in every step is emitted here. */
  prepare(direction: Direction): Step;
}

/** Splits [batch, parts · size] into parts of `size` columns. */
function columns(emit: Emitter, value: Value, parts: number, size: number): Value[] {
  const sizes = emit.ints(Array.from({ length: parts }, () => size));
  return parts === 1 ? [value] : emit.ops('Split', [value, sizes], parts, { axis: 1 });
}

/** Appends h · Rᵀ + bias. */
function recur(emit: Emitter, h: Value, weight: Value, bias: Value | null): Value {
  return emit.op('Gemm', bias ? [h, weight, bias] : [h, weight], { transB: 1 });
}

const rnn: Cell = {
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

const lstm: Cell = {
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

const gru: Cell = {
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

/** By operator type. */
export const cells: ReadonlyMap<string, Cell> = new Map([lstm, gru, rnn].map((cell) => [cell.type, cell] as const));
