/** One step of LSTM and GRU, as operators in the body of a Scan. */
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { ScanBuilder } from './scan-builder.ts';

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

/** An activation of a gate. onnxruntime clips the inputs of these, and not what an LSTM's cell state goes through. */
export function gate({ body, activations, clip }: Cell, index: number, value: Value): Value {
  const bound = (name: string, limit: number): Value => body.constant(name, 'float32', [], Float32Array.of(limit));
  const limited = clip === undefined ? value : body.one('Clip', value, bound('least', -clip), bound('most', clip));
  return body.one(activations[index]!, limited);
}

/** c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c'), from the gates i, o, f, g side by side. */
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

/** h' = h~ + z·(h - h~) with z, r = σ(…), h~ = tanh(p + r·(R h + b)), or tanh(p + R (r·h)) when the reset comes first. */
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
