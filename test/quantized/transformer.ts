/** A generated transformer encoder, from primitives: embedding, attention as MatMul - Softmax - MatMul, LayerNormalization, Gelu. */
import type { NodeProto } from '../../src/onnx/messages.ts';
import { f32, float, i64, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';
import { gaussian } from './make-quantized.ts';

export interface TransformerOptions {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  /** Rows of the embedding table. */
  readonly vocabulary: number;
  /** Tokens; a name for a free axis. */
  readonly tokens: number | string;
}

/** Post-norm encoder: ids int64 [1, tokens] → states float32 [1, tokens, hidden]. */
export function transformer({ layers, hidden, heads, vocabulary, tokens }: TransformerOptions): ModelSpec {
  const initializers: Record<string, Constant> = {
    table: f32([vocabulary, hidden], gaussian(vocabulary * hidden, 11)),
    split: i64([0, 0, heads, hidden / heads]),
    merge: i64([0, 0, hidden]),
    root: scalar('float32', Math.sqrt(hidden / heads)),
    ones: f32(
      [hidden],
      Array.from({ length: hidden }, () => 1),
    ),
    zeros: f32(
      [hidden],
      Array.from({ length: hidden }, () => 0),
    ),
  };
  const nodes: NodeProto[] = [node('Gather', ['table', 'ids'], ['x0'])];
  let seed = 20;
  const dense = (input: string, from: number, to: number, output: string): void => {
    initializers[`${output}_w`] = f32(
      [from, to],
      gaussian(from * to, ++seed).map((v) => v / Math.sqrt(from)),
    );
    initializers[`${output}_b`] = f32(
      [to],
      gaussian(to, ++seed).map((v) => v / 10),
    );
    nodes.push(node('MatMul', [input, `${output}_w`], [`${output}_m`]));
    nodes.push(node('Add', [`${output}_m`, `${output}_b`], [output]));
  };
  const norm = (a: string, b: string, output: string): void => {
    nodes.push(node('Add', [a, b], [`${output}_s`]));
    nodes.push(node('LayerNormalization', [`${output}_s`, 'ones', 'zeros'], [output], { epsilon: float(1e-5) }));
  };
  for (let layer = 0; layer < layers; layer++) {
    const [x, p] = [`x${layer}`, `l${layer}`];
    for (const part of ['q', 'k', 'v']) {
      dense(x, hidden, hidden, `${p}_${part}`);
      nodes.push(node('Reshape', [`${p}_${part}`, 'split'], [`${p}_${part}r`]));
      const perm = part === 'k' ? [0, 2, 3, 1] : [0, 2, 1, 3];
      nodes.push(node('Transpose', [`${p}_${part}r`], [`${p}_${part}t`], { perm }));
    }
    nodes.push(
      node('MatMul', [`${p}_qt`, `${p}_kt`], [`${p}_scores`]),
      node('Div', [`${p}_scores`, 'root'], [`${p}_scaled`]),
      node('Softmax', [`${p}_scaled`], [`${p}_attention`], { axis: -1 }),
      node('MatMul', [`${p}_attention`, `${p}_vt`], [`${p}_context`]),
      node('Transpose', [`${p}_context`], [`${p}_joined`], { perm: [0, 2, 1, 3] }),
      node('Reshape', [`${p}_joined`, 'merge'], [`${p}_merged`]),
    );
    dense(`${p}_merged`, hidden, hidden, `${p}_o`);
    norm(x, `${p}_o`, `${p}_n`);
    dense(`${p}_n`, hidden, 4 * hidden, `${p}_up`);
    nodes.push(node('Gelu', [`${p}_up`], [`${p}_gelu`]));
    dense(`${p}_gelu`, 4 * hidden, hidden, `${p}_down`);
    norm(`${p}_n`, `${p}_down`, `x${layer + 1}`);
  }
  return {
    opset: 20,
    inputs: { ids: { type: 'int64', dims: [1, tokens] } },
    outputs: { [`x${layers}`]: [1, tokens, hidden] },
    initializers,
    nodes,
  };
}
