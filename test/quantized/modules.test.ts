/**
 * Modules without a quantization rule of their own: a product written as Einsum runs in int8 in every format, and what stays float
 * between products (normalizations, Gelu, attention) does so for a reason, with the products around it in int8.
 */
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, f32, float, node, type Constant } from '../support/build.ts';
import { feed, gaussian, make } from './make-quantized.ts';
import { anyCpu, run, sqnr } from './support.ts';

const weight = (rows: number, columns: number, seed: number): Constant =>
  f32([rows, columns], gaussian(rows * columns, seed));
const integerProducts = /^(QLinearMatMul|MatMulIntegerToFloat|DynamicQuantizeMatMul|QGemm)$/;

async function judged(model: Model, format = 'qdq') {
  await fuse(model, { executor: createExecutor(), skip: [] });
  const dims = model.feeds[0]!.dims as number[];
  const feeds = { x: feed(dims) };
  const made = await make(format, model, { target: anyCpu, ...(format === 'qdq' ? { feeds } : {}) });
  const [expected, real] = [await run(model, feeds), await run(made.model, feeds)];
  return { ...made, types: real.types, sqnr: sqnr(expected.outputs['y']!, real.outputs['y']!) };
}

describe('Einsum that is a product of two matrices', () => {
  // 8 bits of weights and activations: 35 dB and more; 4 bits in blocks of 32: about 20.
  it.each([
    ['qdq', integerProducts, 30],
    ['dynamic', integerProducts, 30],
    ['weight-only', /^MatMulNBits$/, 15],
  ])('%s', async (format, kernel, bound) => {
    const model = buildModel({
      inputs: { x: [2, 8, 32] },
      initializers: { w: weight(32, 48, 1) },
      nodes: [node('Einsum', ['x', 'w'], ['y'], { equation: 'bij,jk->bik' })],
      outputs: { y: [2, 8, 48] },
    });
    const made = await judged(model, format);
    expect(made.types.filter((type) => kernel.test(type))).toHaveLength(1);
    expect(made.types).not.toContain('Einsum');
    expect(made.sqnr).toBeGreaterThan(bound);
  });
});

interface Between {
  readonly opset: number;
  readonly node: NodeProto;
  readonly initializers?: Readonly<Record<string, Constant>>;
}

const ones = f32(
  [8],
  Array.from({ length: 8 }, () => 1),
);
const zeros = f32(
  [8],
  Array.from({ length: 8 }, () => 0.1),
);
const between: Record<string, Between> = {
  LayerNormalization: {
    opset: 17,
    node: node('LayerNormalization', ['a', 'gain'], ['b']),
    initializers: {
      gain: f32(
        [32],
        Array.from({ length: 32 }, () => 1),
      ),
    },
  },
  InstanceNormalization: {
    opset: 17,
    node: node('InstanceNormalization', ['a', 'ones', 'zeros'], ['b']),
    initializers: { ones, zeros },
  },
  GroupNormalization: {
    opset: 21,
    node: node('GroupNormalization', ['a', 'ones', 'zeros'], ['b'], { num_groups: 2 }),
    initializers: { ones, zeros },
  },
  Gelu: { opset: 20, node: node('Gelu', ['a'], ['b']) },
};

describe('what stays float between products', () => {
  it.each(Object.entries(between))('%s', async (op, { opset, node: middle, initializers = {} }) => {
    const spec = {
      opset,
      inputs: { x: [2, 8, 32] },
      initializers: { w1: weight(32, 32, 1), w2: weight(32, 16, 2), ...initializers },
      nodes: [node('MatMul', ['x', 'w1'], ['a']), middle, node('MatMul', ['b', 'w2'], ['y'])],
      outputs: { y: [2, 8, 16] },
    };
    for (const format of ['qdq', 'dynamic']) {
      const made = await judged(buildModel(spec), format);
      expect(made.types.filter((type) => integerProducts.test(type))).toHaveLength(2);
      // onnxruntime runs GroupNormalization as the function that its definition is.
      expect(made.types).toContain(op === 'GroupNormalization' ? 'Sqrt' : op);
      expect(made.float.join()).toMatch(new RegExp(`${op}: .*(no int8 kernel|leaves ${op})`));
      // Two layers of 8 bits each.
      expect(made.sqnr).toBeGreaterThan(27);
    }
  });

  it('MultiHeadAttention: the products that feed it and read it are int8, itself float', async () => {
    const spec = {
      inputs: { x: [2, 8, 32] },
      domains: { 'com.microsoft': 1 },
      initializers: Object.fromEntries(['q', 'k', 'v', 'o'].map((name, i) => [`w${name}`, weight(32, 32, i + 1)])),
      nodes: [
        ...['q', 'k', 'v'].map((name) => node('MatMul', ['x', `w${name}`], [name])),
        node(
          'MultiHeadAttention',
          ['q', 'k', 'v'],
          ['a'],
          { num_heads: 4, scale: float(0.02) },
          { domain: 'com.microsoft' },
        ),
        node('MatMul', ['a', 'wo'], ['y']),
      ],
      outputs: { y: [2, 8, 32] },
    };
    for (const format of ['qdq', 'dynamic']) {
      const made = await judged(buildModel(spec), format);
      expect(made.types.filter((type) => integerProducts.test(type))).toHaveLength(4);
      expect(made.types).toContain('MultiHeadAttention');
      expect(made.float.join()).toMatch(/MultiHeadAttention/);
      expect(made.sqnr).toBeGreaterThan(25);
    }
  });
});
