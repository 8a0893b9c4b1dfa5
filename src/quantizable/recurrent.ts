/**
 * LSTM, GRU and RNN opened up: one product of the whole sequence with W, then a Scan whose body multiplies the state with R and
 * computes the gates. Equal in value; the products are MatMuls with constant weights, which have integer kernels in static form
 * too, as the operators themselves have not. (In dynamic form LSTM has a kernel of its own: DynamicQuantizeLSTM.)
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { planErrors } from '../errors/quantizable.ts';
import { ScanBuilder } from './scan-builder.ts';
import { selectNodes, type SelectionRequest } from './selection.ts';

/** Gates, usual activations and positions of the initial states, by operator. */
const cells: Readonly<Record<string, { gates: number; activations: string; states: readonly number[] }>> = {
  LSTM: { gates: 4, activations: 'Sigmoid,Tanh,Tanh', states: [5, 6] },
  GRU: { gates: 3, activations: 'Sigmoid,Tanh', states: [5] },
  RNN: { gates: 1, activations: 'Tanh', states: [5] },
};

/**
 * Opens, in place, every recurrent node with constant weights that --include and --exclude do not spare.
 * @returns what was left as it is, with reasons
 * @throws PLAN_NO_RECURRENT when there is none, or none can be opened
 */
export function openAllRecurrent(model: Model, request: SelectionRequest): { node: string; reason: string }[] {
  const found = [...model.allNodes()].filter((node) => node.domain === '' && cells[node.opType]);
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
  if (left.length === found.length) throw planErrors.noRecurrent(left);
  return left;
}

/** Patterns that name a recurrent node; others may name what is made of them, and are looked at later. */
function namedHere(patterns: readonly string[], nodes: readonly Node[]): string[] {
  return patterns.filter((pattern) => nodes.some(({ name, label, opType }) => [name, label, opType].includes(pattern)));
}

/** Why the node cannot be opened, or undefined. Its weights (inputs 1 and 2) are constant. */
export function cannotOpen(node: Node): string | undefined {
  if (node.int('layout', 0) !== 0) return 'its tensors are batch first (layout = 1)';
  if (node.input(4)) return 'its sequences have lengths of their own (sequence_lens)';
  if (node.input(3) && !node.constant(3)) return 'its bias is computed at run time';
  if (node.attributes.has('clip')) return 'it clips its gates';
  if (node.input(7)) return 'it has peepholes';
  if (node.int('input_forget', 0) !== 0) return 'its input and forget gates are coupled (input_forget)';
  const activations = node.attributes.get('activations');
  const names =
    activations?.kind === 'strings' ? activations.value.map((bytes) => new TextDecoder().decode(bytes)) : [];
  const directions = node.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const usual = Array.from({ length: directions }, () => cells[node.opType]!.activations).join(',');
  return names.length > 0 && names.join(',') !== usual ? `its activations are ${names.join(', ')}` : undefined;
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
  const results = Array.from({ length: count }, (_, index) =>
    openDirection(node, build, index, hidden, direction === 'reverse' || index === 1, add),
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
  cells[node.opType]!.states.forEach((_, state) => {
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

/** One direction: the first state of all steps [steps, batch, hidden], and each state after the last one [batch, hidden]. */
function openDirection(
  node: Node,
  build: ScanBuilder,
  index: number,
  hidden: number,
  reverse: boolean,
  add: string,
): { all: Value; last: Value[] } {
  const { gates, states: initial } = cells[node.opType]!;
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
  const scan = build.scan(projected, starts, reverse, { state: hidden, step: rows });
  const { body, states, step } = scan;
  const turned = (): Value => body.product(states[0]!, body.turned(`R${index}`, r, index), `state${index}`);
  const next = ((): Value[] => {
    if (node.is('LSTM')) return lstmCell(body, states[1]!, body.one(add, turned(), step), hidden);
    if (node.is('RNN')) return [body.one('Tanh', body.one(add, turned(), step))];
    return [
      gruCell(body, states[0]!, step, r, index, hidden, add, after ? biases.slice(rows + 2 * hidden) : undefined),
    ];
  })();
  for (const value of [...next, body.one('Identity', next[0]!)]) body.output(value, hidden);
  return { last: next.map((_, state) => scan.node.output(state)!), all: scan.node.output(next.length)! };
}

/** c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c'), from the gates i, o, f, g side by side. */
function lstmCell(body: ScanBuilder, cell: Value, gates: Value, hidden: number): Value[] {
  // One Sigmoid for the three that lie together.
  const open = body.one('Sigmoid', body.part(gates, 0, 3 * hidden));
  const [i, o, f] = [0, 1, 2].map((gate) => body.part(open, gate * hidden, (gate + 1) * hidden)) as [
    Value,
    Value,
    Value,
  ];
  const fresh = body.one('Mul', i, body.one('Tanh', body.part(gates, 3 * hidden, 4 * hidden)));
  const next = body.one('Add', body.one('Mul', f, cell), fresh);
  return [body.one('Mul', o, body.one('Tanh', next)), next];
}

/** h' = h~ + z·(h - h~) with z, r = σ(…), h~ = tanh(p + r·(R h + b)), or tanh(p + R (r·h)) when the reset comes first. */
function gruCell(
  body: ScanBuilder,
  state: Value,
  step: Value,
  r: Tensor,
  direction: number,
  hidden: number,
  add: string,
  candidateBias: Float32Array | undefined,
): Value {
  const one = body.one.bind(body);
  const part = body.part.bind(body);
  const [zr, all] = [2 * hidden, 3 * hidden];
  let gates: Value;
  let candidate: (reset: Value) => Value;
  if (candidateBias) {
    const recurrent = body.product(state, body.turned(`R${direction}`, r, direction), `state${direction}`);
    gates = one('Sigmoid', one('Add', part(step, 0, zr), part(recurrent, 0, zr)));
    const biased = one('Add', part(recurrent, zr, all), body.constant('bh', 'float32', [hidden], candidateBias));
    candidate = (reset) => one('Mul', reset, biased);
  } else {
    const early = body.product(state, body.turned(`R${direction}`, r, direction, 0, zr), `state${direction}`);
    gates = one('Sigmoid', one(add, part(step, 0, zr), early));
    const weight = body.turned(`Rh${direction}`, r, direction, zr, all);
    candidate = (reset) => body.product(one('Mul', reset, state), weight, `candidate${direction}`);
  }
  const [update, reset] = [part(gates, 0, hidden), part(gates, hidden, zr)];
  const made = one('Tanh', one(add, part(step, zr, all), candidate(reset)));
  return one('Add', made, one('Mul', update, one('Sub', state, made)));
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
