/**
 * What a recurrent operator is opened to: products, and a Scan whose body is one step of LSTM or GRU.
 *
 *   LSTM  c' = σ(f)·c + σ(i)·tanh(g),  h' = σ(o)·tanh(c'),  from the gates i, o, f, g side by side
 *   GRU   h' = h~ + z·(h − h~),  z, r = σ(…),  h~ = tanh(p + r·(R h + b)), or tanh(p + R (r·h)) when the reset comes first
 */
import { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataType, type DataTypeName, type TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';

/** One step in the body of a Scan. */
export interface Cell {
  readonly body: ScanBuilder;
  readonly hidden: number;
  /** What adds behind a product. */
  readonly add: string;
  /** Operators, in the order in which ONNX lists them. */
  readonly activations: readonly string[];
  /** The inputs of gates are cut to -clip … clip. */
  readonly clip: number | undefined;
}

/** Appends the activation of a gate. onnxruntime clips the inputs of these, and not what an LSTM's cell state goes through. */
export function gate({ body, activations, clip }: Cell, index: number, value: Value): Value {
  const bound = (name: string, limit: number): Value => body.constant(name, 'float32', [], Float32Array.of(limit));
  const limited = clip === undefined ? value : body.one('Clip', value, bound('least', -clip), bound('most', clip));
  return body.one(activations[index]!, limited);
}

/** Appends a step of LSTM to the state and the gates of this step; returns h' and c'. */
export function lstmCell(own: Cell, cell: Value, gates: Value): Value[] {
  const { body, hidden, activations } = own;
  // One function for the three that lie together.
  const open = gate(own, 0, body.part(gates, 0, 3 * hidden));
  const [input, output, forget] = [0, 1, 2].map((at) => body.part(open, at * hidden, (at + 1) * hidden)) as [
    Value,
    Value,
    Value,
  ];
  const fresh = body.one('Mul', input, gate(own, 1, body.part(gates, 3 * hidden, 4 * hidden)));
  const next = body.one('Add', body.one('Mul', forget, cell), fresh);
  return [body.one('Mul', output, body.one(activations[2]!, next)), next];
}

/** Appends a step of GRU; returns h'. @param candidateBias b, when the reset gate comes after the product with R */
export function gruCell(
  cell: Cell,
  state: Value,
  step: Value,
  r: Tensor,
  direction: number,
  candidateBias: Float32Array | undefined,
): Value {
  const { body, hidden, add } = cell;
  const one = body.one.bind(body);
  const part = body.part.bind(body);
  const [zr, all] = [2 * hidden, 3 * hidden];
  let gates: Value;
  let candidate: (reset: Value) => Value;
  if (candidateBias) {
    const recurrent = body.product(state, body.turned(`R${direction}`, r, direction), `state${direction}`);
    gates = gate(cell, 0, one('Add', part(step, 0, zr), part(recurrent, 0, zr)));
    const biased = one('Add', part(recurrent, zr, all), body.constant('bh', 'float32', [hidden], candidateBias));
    candidate = (reset) => one('Mul', reset, biased);
  } else {
    const early = body.product(state, body.turned(`R${direction}`, r, direction, 0, zr), `state${direction}`);
    gates = gate(cell, 0, one(add, part(step, 0, zr), early));
    const weight = body.turned(`Rh${direction}`, r, direction, zr, all);
    candidate = (reset) => body.product(one('Mul', reset, state), weight, `candidate${direction}`);
  }
  const [update, reset] = [part(gates, 0, hidden), part(gates, hidden, zr)];
  const made = gate(cell, 1, one(add, part(step, zr, all), candidate(reset)));
  return one('Add', made, one('Mul', update, one('Sub', state, made)));
}

/** Makes nodes in one graph, before an anchor or at its end, all named after the node that is opened. */
export class ScanBuilder {
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

  one(op: string, ...inputs: Value[]): Value {
    return this.node(op, inputs).output()!;
  }

  /** Columns from..to of the last axis. */
  part(value: Value, from: number, to: number): Value {
    const bound = (n: number, name: string): Value => this.constant(name, 'int64', [1], BigInt64Array.of(BigInt(n)));
    return this.one('Slice', value, bound(from, `from${from}`), bound(to, `to${to}`), bound(-1, 'last_axis'));
  }

  /** An output of the body. onnxruntime insists on its rank, and cannot tell it where the states come from outside. */
  output(value: Value, size: number): void {
    value.setType(dataType('float32').code, [null, size]);
    this.graph.addOutput(value);
  }

  /**
   * A Scan over the first axis of `sequence`; its body has the states and one step, and lacks its outputs: the states and one more.
   * @param alive a mask over the same steps, of which the body gets one too
   */
  scan(
    sequence: Value,
    initial: readonly Value[],
    reverse: boolean,
    sizes: { readonly state: number; readonly step: number },
    alive?: Value,
  ): { node: Node; body: ScanBuilder; states: Value[]; step: Value; alive: Value | undefined } {
    const outputs = [...initial.map(() => `${this.#base}_last`), `${this.#base}_states`];
    const scanned = alive ? [sequence, alive] : [sequence];
    const node = this.node('Scan', [...initial, ...scanned], outputs);
    const graph = new Graph(`${this.#base}_cell`, this.graph.names, node);
    node.attributes.set('body', { kind: 'graph', value: graph });
    node.setInt('num_scan_inputs', scanned.length);
    const way = reverse ? 1 : 0;
    node.setInts(
      'scan_input_directions',
      scanned.map(() => way),
    );
    node.setInts('scan_output_directions', [way]);
    const float = dataType('float32').code;
    const body = new ScanBuilder(graph, undefined, this.#base, this.products, this.#home);
    const states = initial.map(() => graph.addInput(`${this.#base}_state`, float, [null, sizes.state]));
    const step = graph.addInput(`${this.#base}_step`, float, [null, sizes.step]);
    const own = alive && graph.addInput(`${this.#base}_alive`, dataType('bool').code, [null, 1]);
    return { node, body, states, step, alive: own };
  }
}
