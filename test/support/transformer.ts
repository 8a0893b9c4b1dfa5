/** A generated BERT-like encoder, as PyTorch exports it at operator set 17: LayerNormalization is one node, Gelu is five. */
import { random } from '../../src/data/random.ts';
import type { Model } from '../../src/graph/model.ts';
import { elementCount } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, f32, i64, node, scalar, type AttributeSpec, type Constant } from './build.ts';

export interface TransformerOptions {
  /** Default 2. */
  readonly layers?: number;
  /** Default 768. */
  readonly hidden?: number;
  /** Default 12. */
  readonly heads?: number;
  /** Default 1000. */
  readonly vocabulary?: number;
  readonly seed?: number;
}

/** Devlin et al. 2018: int64 token ids [batch, tokens] as `ids` → float32 [batch, tokens, hidden] as `encoded`. */
export function transformer(options: TransformerOptions = {}): Model {
  const { layers = 2, hidden = 768, heads = 12, vocabulary = 1000, seed = 0 } = options;
  const numbers = random(seed);
  const nodes: NodeProto[] = [];
  const initializers: Record<string, Constant> = {
    split: i64([0, 0, heads, hidden / heads]),
    join: i64([0, 0, hidden]),
    half: scalar('float32', 0.5),
    one: scalar('float32', 1),
    root: scalar('float32', Math.SQRT2),
    width: scalar('float32', Math.sqrt(hidden / heads)),
  };
  const apply = (
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, AttributeSpec> = {},
  ): string => {
    nodes.push(node(op, inputs, [output], attributes));
    return output;
  };
  /** Uniform, of the variance that keeps that of the data. */
  const weights = (name: string, dims: readonly number[], fanIn: number): string => {
    const limit = Math.sqrt(3 / fanIn);
    const data = Float32Array.from({ length: elementCount(dims) }, () => limit * (numbers.uint32() / 2 ** 31 - 1));
    initializers[name] = { type: 'float32', dims, data };
    return name;
  };
  const linear = (x: string, from: number, to: number, name: string): string => {
    const product = apply('MatMul', [x, weights(`${name}_w`, [from, to], from)], `${name}_product`);
    return apply('Add', [product, weights(`${name}_b`, [to], 300)], name);
  };
  const normalize = (x: string, name: string): string => {
    initializers[`${name}_scale`] = f32([hidden], new Float32Array(hidden).fill(1));
    initializers[`${name}_shift`] = f32([hidden], new Float32Array(hidden));
    return apply('LayerNormalization', [x, `${name}_scale`, `${name}_shift`], name, { axis: -1 });
  };
  const perHead = (x: string, perm: readonly number[]): string =>
    apply('Transpose', [apply('Reshape', [x, 'split'], `${x}_heads`)], `${x}_moved`, { perm });
  const gelu = (x: string): string => {
    const erf = apply('Erf', [apply('Div', [x, 'root'], `${x}_scaled`)], `${x}_erf`);
    return apply('Mul', [apply('Mul', [x, apply('Add', [erf, 'one'], `${x}_sum`)], `${x}_gate`), 'half'], `${x}_gelu`);
  };

  let x = normalize(apply('Gather', [weights('embedding', [vocabulary, hidden], 3), 'ids'], 'embedded'), 'norm');
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string): string => `${name}${layer}`;
    const [query, key, value] = ['query', 'key', 'value'].map((name) => linear(x, hidden, hidden, at(name))) as [
      string,
      string,
      string,
    ];
    const product = apply('MatMul', [perHead(query, [0, 2, 1, 3]), perHead(key, [0, 2, 3, 1])], at('product'));
    const attention = apply('Softmax', [apply('Div', [product, 'width'], at('scores'))], at('attention'), { axis: -1 });
    const mixed = apply('MatMul', [attention, perHead(value, [0, 2, 1, 3])], at('mixed'));
    const joined = apply(
      'Reshape',
      [apply('Transpose', [mixed], at('back'), { perm: [0, 2, 1, 3] }), 'join'],
      at('joined'),
    );
    x = normalize(apply('Add', [linear(joined, hidden, hidden, at('merged')), x], at('first')), at('between'));
    const inner = gelu(linear(x, hidden, 4 * hidden, at('inner')));
    x = normalize(apply('Add', [linear(inner, 4 * hidden, hidden, at('outer')), x], at('second')), at('after'));
  }
  apply('Identity', [x], 'encoded');
  return buildModel({
    inputs: { ids: { type: 'int64', dims: ['batch', 'tokens'] } },
    initializers,
    nodes,
    outputs: { encoded: ['batch', 'tokens', hidden] },
  });
}
