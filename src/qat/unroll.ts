/**
 * LSTM, GRU and RNN nodes → one copy of their cell per step in time, in plain operators that have gradients. The number of
 * steps is that of the traced batch. Rows that end earlier (sequence_lens) keep their state and give zeros from there on.
 */
import { qatErrors } from '../errors/qat.ts';
import { Emitter } from '../graph/emitter.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { forward } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { staticDims } from '../ops/gradient/context.ts';
import { cells, type Cell } from './recurrent-cells.ts';

/**
 * Unrolls every recurrent node of the main graph. Shapes must have been traced, and must be traced again afterwards.
 * @returns the labels of the nodes that were unrolled
 * @throws QAT_UNROLL, QAT_SHAPE
 */
export function unrollRecurrent(model: Model): string[] {
  const unrolled: string[] = [];
  for (const node of model.graph.nodes()) {
    const cell = node.domain === '' ? cells.get(node.opType) : undefined;
    if (!cell) continue;
    unrolled.push(node.label);
    unroll(node, cell);
  }
  return unrolled;
}

function unroll(node: Node, cell: Cell): void {
  const graph = node.graph!;
  const emit = new Emitter(graph, node.label, node);
  const reason =
    (node.int('layout', 0) === 0 ? undefined : 'its batch axis comes first (layout = 1)') ?? cell.refusal?.(node);
  if (reason !== undefined) throw qatErrors.unroll(node.label, node.opType, reason);
  const x = node.input(0)!;
  const [steps, batch, features] = staticDims(x) as [number, number, number];
  const hidden = staticDims(node.input(2)!)[2]!;
  const ways = directionsOf(node);
  /** The part of an input that belongs to one direction, without the axis of directions. */
  const part = (index: number, way: number, dims: readonly number[]): Value | null => {
    const input = node.input(index);
    if (!input) return null;
    return emit.reshape(ways.length === 1 ? input : emit.slice(input, [0], [way], [way + 1]), dims);
  };
  const rows = emit.reshape(x, [steps * batch, features]);
  const alive = aliveMasks(node, emit, steps, batch);
  const results = ways.map((reversed, way) => {
    const gates = cell.gates * hidden;
    const biases = part(3, way, [2, gates]);
    const [inputBias, recurrenceBias] = biases ? halves(emit, biases, gates) : [null, null];
    const weight = part(1, way, [gates, features])!;
    const projected = emit.op('Gemm', [rows, weight, ...(inputBias ? [inputBias] : [])], { transB: 1 });
    const inputs =
      steps === 1 ? [projected] : emit.ops('Split', [projected, emit.ints(repeated(batch, steps))], steps, { axis: 0 });
    const step = cell.prepare({
      emit,
      node,
      hidden,
      recurrence: part(2, way, [gates, hidden])!,
      recurrenceBias,
      peepholes: cell.peepholes === undefined ? null : part(cell.peepholes, way, [3 * hidden]),
      activations: activationsOf(node, cell, emit, way),
    });
    let states = cell.states.map((index) => part(index, way, [batch, hidden]) ?? zeros(emit, batch, hidden));
    const outputs: Value[] = [];
    for (let i = 0; i < steps; i++) {
      const time = reversed ? steps - 1 - i : i;
      const next = step(inputs[time]!, states);
      const mask = alive?.[time];
      outputs[time] = mask ? emit.op('Where', [mask, next[0]!, emit.scalar(0)]) : next[0]!;
      states = mask ? next.map((state, s) => emit.op('Where', [mask, state, states[s]!])) : next;
    }
    return { outputs, states };
  });
  const all = results.map(({ outputs }) => emit.reshape(joined(emit, outputs, 0), [steps, 1, batch, hidden]));
  const last = cell.states.map((_, s) => {
    return joined(
      emit,
      results.map(({ states }) => emit.reshape(states[s]!, [1, batch, hidden])),
      0,
    );
  });
  [joined(emit, all, 1), ...last].forEach((value, index) => {
    const output = node.output(index);
    if (output && output.useCount > 0) forward(output, value);
  });
  graph.remove(node);
}

/** For each direction: whether it runs from the last step to the first. */
function directionsOf(node: Node): boolean[] {
  const direction = node.string('direction', 'forward');
  return direction === 'bidirectional' ? [false, true] : [direction === 'reverse'];
}

const zeros = (emit: Emitter, rows: number, columns: number): Value =>
  emit.op('Expand', [emit.scalar(0), emit.ints([rows, columns])]);
const repeated = (size: number, times: number): number[] => Array.from({ length: times }, () => size);
const joined = (emit: Emitter, values: readonly Value[], axis: number): Value => {
  return values.length === 1 ? values[0]! : emit.op('Concat', values, { axis });
};

function halves(emit: Emitter, biases: Value, gates: number): [Value, Value] {
  const [first, second] = emit.ops('Split', [biases, emit.ints([1, 1])], 2, { axis: 0 }) as [Value, Value];
  return [emit.reshape(first, [gates]), emit.reshape(second, [gates])];
}

/** One [batch, 1] mask per step of the rows that have not ended; undefined when none ends early. */
function aliveMasks(node: Node, emit: Emitter, steps: number, batch: number): Value[] | undefined {
  const lengths = node.input(4);
  if (
    !lengths ||
    node
      .constant(4)
      ?.ints()
      .every((length) => length === steps)
  )
    return undefined;
  const column = emit.reshape(emit.op('Cast', [lengths], { to: 1 }), [batch, 1]);
  return Array.from({ length: steps }, (_, time) => emit.op('Greater', [column, emit.scalar(time)]));
}

/** Functions that take no parameter, by the name that ONNX gives them in lower case. */
const functions = new Map(
  ['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus'].map((name) => [name.toLowerCase(), name]),
);

function activationsOf(node: Node, cell: Cell, emit: Emitter, way: number): ((value: Value) => Value)[] {
  const { length } = cell.activations;
  const attribute = node.attributes.get('activations');
  const listed =
    attribute?.kind === 'strings' ? attribute.value.map((bytes) => new TextDecoder().decode(bytes)) : undefined;
  const names = listed?.slice(way * length, (way + 1) * length) ?? cell.activations;
  const limit = node.float('clip');
  return names.map((name, index) => {
    // onnxruntime clips what gates read, and not what an LSTM's cell state goes through.
    const clips = limit !== undefined && index < 2;
    const opType = functions.get(name.toLowerCase());
    if (!opType) throw qatErrors.unroll(node.label, node.opType, `its activation ${name} is not supported`);
    return (value) => {
      const limited = clips ? emit.op('Clip', [value, emit.scalar(-limit), emit.scalar(limit)]) : value;
      return emit.op(opType, [limited]);
    };
  });
}
