import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { correctBiases } from '../../src/improve/bias.ts';
import { biasedLayers } from '../../src/improve/layers.ts';
import { random } from '../../src/data/random.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { rangesFor, planFor, type Feeds } from '../quantized/support.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { mobilenet } from '../support/networks.ts';

const image = (seed: number, size = 32): Feeds => {
  const draw = random(seed);
  return {
    input: {
      type: 'float32',
      dims: [1, 3, size, size],
      data: Float32Array.from({ length: 3 * size ** 2 }, () => draw.normal() / 3),
    },
  };
};

const bytesOf = (model: Model): Buffer => Buffer.from(encodeModel(modelToProto(model)));

describe('correctBiases', () => {
  it('reaches every layer, leaves the model as it was, and does not depend on the number of threads', async () => {
    const model = mobilenet({ size: 32, width: 0.25, classes: 10, batch: 1 });
    const plan = planFor(model);
    const before = bytesOf(model);
    const ranges = await rangesFor(model, plan, image(0));
    const seen = Array.from({ length: 6 }, (_, i) => image(i + 1));
    const [one, two] = await Promise.all(
      [1, 2].map((threads) => correctBiases(model, plan, ranges, seen, { threads })),
    );
    expect(bytesOf(one!.model).equals(bytesOf(two!.model))).toBe(true);
    expect(bytesOf(model).equals(before)).toBe(true);
    checkModel(one!.model);
    expect(one!.layers).toBe(biasedLayers(model, plan).length);
    expect(one!.layers).toBeGreaterThan(40);
  });

  it('goes on with fewer samples where their values take too much memory', async () => {
    const model = mobilenet({ size: 32, width: 0.25, classes: 10, batch: 1 });
    const plan = planFor(model);
    const ranges = await rangesFor(model, plan, image(0));
    const seen = Array.from({ length: 12 }, (_, i) => image(i + 1));
    const options = { threads: 1, mostBytes: 1 };
    const short = (await correctBiases(model, plan, ranges, seen, options))!;
    const whole = (await correctBiases(model, plan, ranges, seen, { threads: 1 }))!;
    expect(short.layers).toBe(whole.layers);
    expect(bytesOf(short.model).equals(bytesOf(whole.model))).toBe(false);
  });

  it('corrects the mean of a layer that is quantized with a known error, behind its Relu', async () => {
    // Weights of 0.4 of a step beside one that sets the scale: all of them round to 0.
    const weights = Float32Array.from({ length: 64 }, (_, i) => (i % 64 === 0 ? 1 : 0.4 / 128));
    const model = buildModel({
      inputs: { x: [1, 64] },
      outputs: { y: [1, 1] },
      initializers: { w: f32([1, 64], weights), b: f32([1], [0.1]) },
      nodes: [node('Gemm', ['x', 'w', 'b'], ['g'], { transB: 1 }), node('Relu', ['g'], ['y'])],
    });
    const plan = planFor(model);
    const feeds = Array.from({ length: 8 }, (_, i): Feeds => {
      return { x: { type: 'float32', dims: [1, 64], data: new Float32Array(64).fill(1 + i / 16) } };
    });
    const ranges = await rangesFor(model, plan, feeds[7]!);
    const { model: corrected } = (await correctBiases(model, plan, ranges, feeds, { threads: 1 }))!;
    const session = await openSession(emitQdq(corrected, plan, ranges).model, { simulate: true });
    const float = await openSession(copyModel(model));
    let error = 0;
    for (const feed of feeds) {
      const [a, b] = [await float.run(feed), await session.run(feed)];
      error += ((a['y']!.data as Float32Array)[0]! - (b['y']!.data as Float32Array)[0]!) / feeds.length;
    }
    // The mean input is 1.22, so that 63 weights lose 0.24; a step of the output is 2 / 255.
    expect(Math.abs(error)).toBeLessThan(2 / 255);
    await Promise.all([session.dispose(), float.dispose()]);
  });
});

describe('biasedLayers', () => {
  it('takes a MatMul with the Add behind it, and leaves a bias that is not one number for each channel', () => {
    const model = buildModel({
      inputs: { x: [1, 3, 8] },
      outputs: { y: [1, 3, 8] },
      initializers: { w: f32([8, 8]), b: f32([8]), v: f32([8, 8]), c: f32([3, 8]), u: f32([8, 8]) },
      nodes: [
        node('MatMul', ['x', 'w'], ['m']),
        node('Add', ['b', 'm'], ['n']),
        node('Relu', ['n'], ['r']),
        node('MatMul', ['r', 'v'], ['o']),
        node('Add', ['o', 'c'], ['p']),
        node('MatMul', ['p', 'u'], ['y']),
      ],
    });
    const found = biasedLayers(model, planFor(model));
    expect(
      found.map(({ tensor, seen, input, activation }) => ({ tensor, seen, input, least: activation.min })),
    ).toEqual([{ tensor: 'n', seen: 'r', input: 0, least: 0 }]);
  });
});
