/** What a recurrent operator is: its gates, its states, and one step in time, built of plain operators. */
import type { Emitter } from '../../graph/emitter.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/** One direction of one node. `gates` stands for the cell's number of gates. */
export interface Direction {
  readonly emit: Emitter;
  readonly node: Node;
  readonly hidden: number;
  /** [gates · hidden, hidden] and [gates · hidden]. */
  readonly recurrence: Value;
  readonly recurrenceBias: Value | null;
  /** [3 · hidden], LSTM only. */
  readonly peepholes: Value | null;
  /** The cell's functions, in the order in which the operator lists them. */
  readonly activations: readonly ((value: Value) => Value)[];
}

/** From the input's share of the gates, [batch, gates · hidden], and the states, [batch, hidden] each, to the next states. */
export type Step = (projected: Value, states: readonly Value[]) => Value[];

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

/** Parts of `size` columns. */
export function columns(emit: Emitter, value: Value, parts: number, size: number): Value[] {
  const sizes = emit.ints(Array.from({ length: parts }, () => size));
  return parts === 1 ? [value] : emit.ops('Split', [value, sizes], parts, { axis: 1 });
}

/** h · Rᵀ + bias. */
export function recur(emit: Emitter, h: Value, weight: Value, bias: Value | null): Value {
  return emit.op('Gemm', bias ? [h, weight, bias] : [h, weight], { transB: 1 });
}
