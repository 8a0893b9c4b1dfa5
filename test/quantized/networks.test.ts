/** Whole networks in every form: what runs in int8 in onnxruntime, and how far the result is off. */
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { feed, gaussian, make } from './make-quantized.ts';
import { anyCpu, run, sqnr, type Feeds } from './support.ts';
import { transformer } from './transformer.ts';

const count = (types: readonly string[], ...wanted: string[]): number =>
  types.filter((type) => wanted.includes(type)).length;

describe('attention from primitives', () => {
  const model = buildModel(transformer({ layers: 1, hidden: 32, heads: 4, vocabulary: 64, tokens: 12 }));
  const ids: TensorValue = {
    type: 'int64',
    dims: [1, 12],
    data: BigInt64Array.from({ length: 12 }, (_, i) => BigInt((i * 29) % 64)),
  };
  const feeds: Feeds = { ids };
  const settings = { target: anyCpu, feeds };

  // Six dense layers and two products of activations; the embedding in s8.
  it('QDQ: every product on codes, what stands between them in float for a reason', async () => {
    const made = await make('qdq', model, settings);
    const { types, outputs } = await run(made.model, feeds);
    expect(count(types, 'QLinearMatMul', 'MatMulIntegerToFloat', 'QGemm')).toBe(8);
    expect(count(types, 'MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm')).toBe(0);
    expect(made.model.graph.values.get('table_quantized')?.type).toBe('int8');
    expect(made.float).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^LayerNormalization: onnxruntime has no int8 kernel of it, and a mean/),
        expect.stringMatching(/^Gelu: onnxruntime has no int8 kernel of it; between products/),
        "Div: onnxruntime has no int8 Div kernel, and 'n_l0_scores' can write float",
        'Softmax: no int8 node feeds it',
      ]),
    );
    expect(sqnr((await run(model, feeds)).outputs['x1']!, outputs['x1']!)).toBeGreaterThan(22);
  });

  it('dynamic: dense layers in int8, attention in float', async () => {
    const made = await make('dynamic', model, settings);
    const { types, outputs } = await run(made.model, feeds);
    expect(count(types, 'MatMulIntegerToFloat', 'DynamicQuantizeMatMul')).toBe(6);
    expect(sqnr((await run(model, feeds)).outputs['x1']!, outputs['x1']!)).toBeGreaterThan(27);
  });

  it('weight-only: dense layers and the embedding in blocks', async () => {
    const made = await make('weight-only', model, { weightBits: 8 });
    const { types, outputs } = await run(made.model, feeds);
    expect(count(types, 'MatMulNBits')).toBe(6);
    expect(count(types, 'GatherBlockQuantized')).toBe(1);
    expect(sqnr((await run(model, feeds)).outputs['x1']!, outputs['x1']!)).toBeGreaterThan(33);
  });
});

describe('convolutions of other ranks', () => {
  for (const dims of [
    [1, 4, 20],
    [1, 4, 6, 6, 6],
  ]) {
    it(`${dims.length - 2}-D: QLinearConv`, async () => {
      const kernel = dims.slice(2).map(() => 3);
      const taps = kernel.reduce((a, b) => a * b, 1);
      const model = buildModel({
        inputs: { x: dims },
        outputs: ['y'],
        initializers: {
          w: f32([8, 4, ...kernel], gaussian(32 * taps)),
          v: f32([8, 8, ...kernel.map(() => 1)], gaussian(64, 2)),
        },
        nodes: [node('Conv', ['x', 'w'], ['a']), node('Relu', ['a'], ['r']), node('Conv', ['r', 'v'], ['y'])],
      });
      const feeds: Feeds = { x: feed(dims) };
      for (const format of ['qdq', 'qoperator']) {
        const { types, outputs } = await run((await make(format, model, { target: anyCpu, feeds })).model, feeds);
        expect(count(types, 'QLinearConv')).toBe(2);
        expect(sqnr((await run(model, feeds)).outputs['y']!, outputs['y']!)).toBeGreaterThan(27);
      }
    });
  }
});
