/** Four-bit storage: half the bytes, the same integer kernels, the same bits at the outputs. */
import { expect, it } from 'vitest';
import { checkModel } from '../../src/graph/spec.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { upgradeOpset } from '../../src/opset/upgrade.ts';
import { lowerFakeQuant } from '../../src/qat/lower.ts';
import { leastInt4Opset, storeFourBits } from '../../src/qat/storage.ts';
import { run } from '../quantized/support.ts';
import { eight, fakeQuantized, images, residual } from './support.ts';

const feeds = { x: images(4) };

async function lowered(widths: typeof eight): Promise<Model> {
  const model = residual();
  upgradeOpset(model, leastInt4Opset);
  return lowerFakeQuant(await fakeQuantized(model, feeds, widths)).model;
}

const initializers = (model: Model, type: string): string[] =>
  [...model.graph.values.values()]
    .filter((value) => value.isConstant && value.constant!.type.name === type)
    .map(({ name }) => name);

it.each([
  ['all weights', { weights: 4, activations: 8, firstLast: 4 }, 4, 0],
  ['those between the ends', { weights: 3, activations: 4, firstLast: 8 }, 2, 2],
] as const)('%s: equal outputs from equal kernels', async (_, widths, stored, wider) => {
  const eightBits = await lowered(widths);
  const model = modelFromProto(modelToProto(eightBits), eightBits.dir);
  const result = storeFourBits(model);
  checkModel(model);
  expect([result.stored, result.wider.length]).toEqual([stored, wider]);
  expect(initializers(model, 'int4')).toHaveLength(stored);
  const [a, b] = [await run(eightBits, feeds), await run(model, feeds)];
  expect(b.outputs['y']!.data).toEqual(a.outputs['y']!.data);
  // onnxruntime folds the Cast: what runs is what runs of 8-bit storage.
  expect(b.types.toSorted()).toEqual(a.types.toSorted());
  expect(b.types.filter((type) => type === 'QLinearConv')).toHaveLength(3);
});

it('stores nothing of a model with wider codes, and names them', async () => {
  const model = await lowered(eight);
  const { stored, wider } = storeFourBits(model);
  expect(stored).toBe(0);
  expect(wider.toSorted()).toEqual(['w1', 'w2', 'w3', 'w4'].map((name) => `${name}_quantized`));
});
