/**
 * LSTM, GRU and RNN opened up: one product of the whole sequence with W, then a Scan whose body multiplies the state with R and
 * computes the gates. Equal in value; the products are MatMuls with constant weights, which have integer kernels in static
 * quantization too, as the operators themselves have not. (In dynamic quantization LSTM has a kernel of its own: DynamicQuantizeLSTM.)
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { cannotOpen, recurrentActivations, recurrentCells } from '../ops/recurrent.ts';
import { planErrors } from '../errors/quantizable.ts';
import { gate, gruCell, lstmCell, type Cell, ScanBuilder } from './recurrent-cells.ts';
import { selectNodes, type SelectionRequest } from './selection.ts';

/**
 * Opens, in place, every recurrent node with constant weights that --include and --exclude do not spare.
 * @returns what was left as it is, with reasons
 * @throws PLAN_NO_RECURRENT when there is none, or none can be opened
 */
export function openAllRecurrent(model: Model, request: SelectionRequest): { node: string; reason: string }[] {
  const found = [...model.allNodes()].filter((node) => node.domain === '' && recurrentCells.has(node.opType));
  const { exclude = [] } = request;
  const selection = selectNodes(model, { ...request, include: [], exclude: namedHere(exclude, found) });
  const left: { node: string; reason: string }[] = [];
  for (const node of found) {
    const reason =
      selection.reason(node) ??
      (node.constant(1) && node.constant(2) ? cannotOpen(node) : 'its weights are computed at run time');
    if (reason === undefined) openRecurrent(node, 'Sum');
    else left.push({ node: node.label, reason });
  }
  const dynamic = found.some((node) => node.is('LSTM') && node.constant(1));
  if (left.length === found.length) throw planErrors.noRecurrent(left, dynamic);
  return left;
}

/** Patterns that name a recurrent node; others may name what is made of them, and are looked at later. */
function namedHere(patterns: readonly string[], nodes: readonly Node[]): string[] {
  return patterns.filter((pattern) => nodes.some(({ name, label, opType }) => [name, label, opType].includes(pattern)));
}

/**
 * Opens the node, which leaves the graph. Returns the products with constant weights on the right.
 * @param add what adds behind a product: onnxruntime rewrites MatMul and Add to a float Gemm, even between quantizers, and a Sum it
 * leaves alone; behind products that are integer by themselves an Add is fused
 */
export function openRecurrent(node: Node, add: 'Add' | 'Sum' = 'Add'): Node[] {
  const graph = node.graph!;
  const build = new ScanBuilder(graph, node, node.name || node.outputs.find((value) => value !== null)!.name);
  const direction = node.string('direction', 'forward');
  const count = direction === 'bidirectional' ? 2 : 1;
  const hidden = node.constant(2)!.dims[2]!;
  const alive = node.input(4) ? aliveSteps(build, node.input(0)!, node.input(4)!) : undefined;
  const results = Array.from({ length: count }, (_, index) =>
    openDirection(node, build, index, { hidden, reverse: direction === 'reverse' || index === 1, add, alive }),
  );
  const axes = build.constant('axis', 'int64', [1], BigInt64Array.of(1n));
  const first = build.constant('first_axis', 'int64', [1], BigInt64Array.of(0n));
  const join = (values: readonly Value[], along: Value, axis: number, index: number): void => {
    const output = node.output(index);
    if (!output) return;
    const lifted = values.map((value) => build.node('Unsqueeze', [value, along]).output()!);
    const last = build.node('Concat', lifted, []);
    last.setInt('axis', axis);
    node.setOutput(index, null);
    last.setOutput(0, output);
  };
  join(
    results.map(({ all }) => all),
    axes,
    1,
    0,
  );
  recurrentCells.get(node.opType)!.states.forEach((_, state) => {
    join(
      results.map(({ last }) => last[state]!),
      first,
      0,
      1 + state,
    );
  });
  graph.remove(node);
  return build.products;
}

/**
 * [steps, batch, 1]: whether a sequence has not ended. In the steps after its end its state stays as it is and its result is 0; read
 * backwards, the first of these are the steps after its end, so that it begins with the initial state where it ends.
 */
function aliveSteps(build: ScanBuilder, sequence: Value, lengths: Value): Value {
  const scalar = (name: string, value: number): Value =>
    build.constant(name, 'int64', [], BigInt64Array.of(BigInt(value)));
  const axis = (at: number): Value => build.constant(`axis${at}`, 'int64', [1], BigInt64Array.of(BigInt(at)));
  const steps = build.one('Gather', build.one('Shape', sequence), scalar('step_axis', 0));
  const times = build.one('Range', scalar('start', 0), steps, scalar('delta', 1));
  const wide = build.node('Cast', [lengths]);
  wide.setInt('to', dataType('int64').code);
  const before = build.one('Unsqueeze', times, axis(1));
  return build.one('Unsqueeze', build.one('Less', before, build.one('Unsqueeze', wide.output()!, axis(0))), axis(2));
}

/** What one direction of the operator is opened with. */
interface Direction {
  readonly hidden: number;
  readonly reverse: boolean;
  readonly add: string;
  readonly alive: Value | undefined;
}

/** One direction: the first state of all steps [steps, batch, hidden], and each state after the last one [batch, hidden]. */
function openDirection(
  node: Node,
  build: ScanBuilder,
  index: number,
  { hidden, reverse, add, alive }: Direction,
): { all: Value; last: Value[] } {
  const { gates, states: initial } = recurrentCells.get(node.opType)!;
  const rows = gates * hidden;
  const [w, r, bias] = [node.constant(1)!, node.constant(2)!, node.constant(3)];
  const after = node.int('linear_before_reset', 0) !== 0;
  const biases = bias ? bias.floats().slice(index * 2 * rows, (index + 1) * 2 * rows) : new Float32Array(2 * rows);
  // What is added to both products is added once; the candidate's recurrent bias stands behind the reset gate.
  const early = Float32Array.from({ length: rows }, (_, i) => {
    const isCandidate = after && node.is('GRU') && i >= 2 * hidden;
    return biases[i]! + (isCandidate ? 0 : biases[rows + i]!);
  });
  const input = build.product(node.input(0)!, build.turned(`W${index}`, w, index), `input${index}`);
  const projected = build.node(add, [input, build.constant(`b${index}`, 'float32', [rows], early)]).output()!;
  const starts = initial.map((position) => initialState(node, build, index, hidden, position));
  const scan = build.scan(projected, starts, reverse, { state: hidden, step: rows }, alive);
  const { body, states, step } = scan;
  const activations = recurrentActivations(node, index) as string[];
  const cell: Cell = { body, hidden, add, activations, clip: node.float('clip') };
  const turned = (): Value => body.product(states[0]!, body.turned(`R${index}`, r, index), `state${index}`);
  const next = ((): Value[] => {
    if (node.is('LSTM')) return lstmCell(cell, states[1]!, body.one(add, turned(), step));
    if (node.is('RNN')) return [gate(cell, 0, body.one(add, turned(), step))];
    return [gruCell(cell, states[0]!, step, r, index, after ? biases.slice(rows + 2 * hidden) : undefined)];
  })();
  const kept = scan.alive ? next.map((value, i) => body.one('Where', scan.alive!, value, states[i]!)) : next;
  const result = scan.alive
    ? body.one('Where', scan.alive, next[0]!, body.constant('ended', 'float32', [], Float32Array.of(0)))
    : body.one('Identity', next[0]!);
  for (const value of [...kept, result]) body.output(value, hidden);
  return { last: next.map((_, state) => scan.node.output(state)!), all: scan.node.output(next.length)! };
}

/** Row `index` of the given initial states, or zeros for every sequence of the batch. */
function initialState(node: Node, build: ScanBuilder, index: number, hidden: number, position: number): Value {
  const given = node.input(position);
  if (given) {
    const at = build.constant(`direction${index}`, 'int64', [], BigInt64Array.of(BigInt(index)));
    const picked = build.node('Gather', [given, at]);
    picked.setInt('axis', 0);
    return picked.output()!;
  }
  const shape = build.node('Shape', [node.input(0)!]).output()!;
  const batch = build.node('Gather', [shape, build.constant('batch', 'int64', [1], BigInt64Array.of(1n))]).output()!;
  const dims = build.node('Concat', [batch, build.constant('hidden', 'int64', [1], BigInt64Array.of(BigInt(hidden)))]);
  dims.setInt('axis', 0);
  return build.node('ConstantOfShape', [dims.output()!]).output()!;
}
