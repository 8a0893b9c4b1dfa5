/**
 * GRU and RNN opened up: one product of the whole sequence with W, then a Scan whose body multiplies the state with R and
 * computes the gates. Equal in value; the products are MatMuls with constant weights, which have integer kernels, as the
 * operators themselves have not. (LSTM has one of its own: DynamicQuantizeLSTM.)
 */
import { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataType, type DataTypeName, type TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';

const gatesOf: Readonly<Record<string, number>> = { GRU: 3, RNN: 1 };
const activationsOf: Readonly<Record<string, string>> = { GRU: 'Sigmoid,Tanh', RNN: 'Tanh' };

/** Why the node cannot be opened, or undefined. Its weights (inputs 1 and 2) are constant. */
export function cannotOpen(node: Node): string | undefined {
  if (node.int('layout', 0) !== 0) return 'its tensors are batch first (layout = 1)';
  if (node.input(4)) return 'its sequences have lengths of their own (sequence_lens)';
  if (node.input(3) && !node.constant(3)) return 'its bias is computed at run time';
  if (node.attributes.has('clip')) return 'it clips its gates';
  const activations = node.attributes.get('activations');
  const names =
    activations?.kind === 'strings' ? activations.value.map((bytes) => new TextDecoder().decode(bytes)) : [];
  const directions = node.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const usual = Array.from({ length: directions }, () => activationsOf[node.opType]).join(',');
  return names.length > 0 && names.join(',') !== usual ? `its activations are ${names.join(', ')}` : undefined;
}

/** Opens the node, which leaves the graph. Returns the products with constant weights on the right. */
export function openRecurrent(node: Node): Node[] {
  const graph = node.graph!;
  const build = new Builder(graph, node, node.name || node.outputs.find((value) => value !== null)!.name);
  const direction = node.string('direction', 'forward');
  const count = direction === 'bidirectional' ? 2 : 1;
  const hidden = node.constant(2)!.dims[2]!;
  const results = Array.from({ length: count }, (_, index) =>
    openDirection(node, build, index, hidden, direction === 'reverse' || index === 1),
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
  join(
    results.map(({ last }) => last),
    first,
    0,
    1,
  );
  graph.remove(node);
  return build.products;
}

/** One direction: the states of all steps [steps, batch, hidden] and the last one [batch, hidden]. */
function openDirection(
  node: Node,
  build: Builder,
  index: number,
  hidden: number,
  reverse: boolean,
): { all: Value; last: Value } {
  const gates = gatesOf[node.opType]!;
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
  const projected = build.node('Add', [input, build.constant(`b${index}`, 'float32', [rows], early)]).output()!;
  const scan = build.scan(projected, initialState(node, build, index, hidden), reverse);
  const { body, state, step } = scan;
  const next = node.is('GRU')
    ? gruCell(body, state, step, r, index, hidden, after ? biases.slice(rows + 2 * hidden) : undefined)
    : body
        .node('Tanh', [
          body.node('Add', [body.product(state, body.turned(`R${index}`, r, index), `state${index}`), step]).output()!,
        ])
        .output()!;
  body.graph.addOutput(next);
  body.graph.addOutput(body.node('Identity', [next]).output()!);
  return { last: scan.node.output(0)!, all: scan.node.output(1)! };
}

/** h' = h~ + z·(h - h~) with z, r = σ(…), h~ = tanh(p + r·(R h + b)), or tanh(p + R (r·h)) when the reset comes first. */
function gruCell(
  body: Builder,
  state: Value,
  step: Value,
  r: Tensor,
  direction: number,
  hidden: number,
  candidateBias: Float32Array | undefined,
): Value {
  const one = (op: string, ...inputs: Value[]): Value => body.node(op, inputs).output()!;
  const part = (value: Value, from: number, to: number): Value => {
    const bound = (n: number, name: string): Value => body.constant(name, 'int64', [1], BigInt64Array.of(BigInt(n)));
    return one('Slice', value, bound(from, `from${from}`), bound(to, `to${to}`), bound(-1, 'last_axis'));
  };
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
    gates = one('Sigmoid', one('Add', part(step, 0, zr), early));
    const weight = body.turned(`Rh${direction}`, r, direction, zr, all);
    candidate = (reset) => body.product(one('Mul', reset, state), weight, `candidate${direction}`);
  }
  const [update, reset] = [part(gates, 0, hidden), part(gates, hidden, zr)];
  const made = one('Tanh', one('Add', part(step, zr, all), candidate(reset)));
  return one('Add', made, one('Mul', update, one('Sub', state, made)));
}

/** Row `index` of the given initial states, or zeros for every sequence of the batch. */
function initialState(node: Node, build: Builder, index: number, hidden: number): Value {
  const given = node.input(5);
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

/** Makes nodes in one graph, before an anchor or at its end, all named after the node that is opened. */
class Builder {
  readonly graph: Graph;
  /** Shared with the builders of bodies. */
  readonly products: Node[];
  readonly #anchor: Node | undefined;
  readonly #base: string;
  readonly #constants = new Map<string, Value>();
  /** Where constants stand: in the graph of the opened node, not in a body. */
  readonly #home: Graph;

  constructor(graph: Graph, anchor: Node | undefined, base: string, products: Node[] = [], home = graph) {
    this.graph = graph;
    this.#anchor = anchor;
    this.#base = base;
    this.products = products;
    this.#home = home;
  }

  node(op: string, inputs: readonly Value[], outputs = [`${this.#base}_${op}`]): Node {
    const node = this.graph.makeNode(op, inputs, { outputs });
    node.name = node.output()?.name ?? this.#home.names.unique(`${this.#base}_${op}`);
    return this.#anchor ? this.graph.insertBefore(node, this.#anchor) : this.graph.append(node);
  }

  constant(name: string, type: DataTypeName, dims: readonly number[], data: TypedArray): Value {
    const found = this.#constants.get(name);
    if (found) return found;
    const value = this.#home.addInitializer(Tensor.of(`${this.#base}_${name}`, type, dims, data));
    this.#constants.set(name, value);
    return value;
  }

  /** Rows from..to of one direction of [directions, rows, columns], transposed: [columns, to - from]. */
  turned(name: string, tensor: Tensor, direction: number, from = 0, to = tensor.dims[1]!): Value {
    const [rows, columns] = [tensor.dims[1]!, tensor.dims[2]!];
    const all = tensor.floats();
    const data = new Float32Array((to - from) * columns);
    for (let row = from; row < to; row++) {
      const at = (direction * rows + row) * columns;
      for (let c = 0; c < columns; c++) data[c * (to - from) + row - from] = all[at + c]!;
    }
    return this.constant(name, 'float32', [columns, to - from], data);
  }

  product(value: Value, weight: Value, name: string): Value {
    const node = this.node('MatMul', [value, weight], [`${this.#base}_${name}`]);
    this.products.push(node);
    return node.output()!;
  }

  /** A Scan over the first axis of `sequence`; its body has the state and one step, and lacks its two outputs. */
  scan(sequence: Value, initial: Value, reverse: boolean): { node: Node; body: Builder; state: Value; step: Value } {
    const node = this.node('Scan', [initial, sequence], [`${this.#base}_last`, `${this.#base}_states`]);
    const graph = new Graph(`${this.#base}_cell`, this.graph.names, node);
    node.attributes.set('body', { kind: 'graph', value: graph });
    node.setInt('num_scan_inputs', 1);
    for (const name of ['scan_input_directions', 'scan_output_directions']) node.setInts(name, [reverse ? 1 : 0]);
    const float = dataType('float32').code;
    const body = new Builder(graph, undefined, this.#base, this.products, this.#home);
    const state = graph.addInput(`${this.#base}_state`, float);
    return { node, body, state, step: graph.addInput(`${this.#base}_step`, float) };
  }
}
