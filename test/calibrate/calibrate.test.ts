/** The whole room: samples in, ranges out; determinism; and every kind of value that must not pass unnoticed. */
import { describe, expect, it } from 'vitest';
import { calibrate, type CalibrateOptions } from '../../src/calibrate/calibrate.ts';
import { observerOf, observers } from '../../src/calibrate/observers/index.ts';
import type { ObserverState } from '../../src/calibrate/observers/observer.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Sample } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import { buildModel, f32, i64, node, scalar } from '../support/build.ts';
import { mobilenet, quantizedActivations, resnet } from '../support/networks.ts';
import { datasetOf, floats, floatSamples, sha } from './samples.ts';

const relu = buildModel({ inputs: { x: ['n', 3] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] });
const row = (id: string, ...values: number[]): Sample => ({
  id,
  inputs: { x: floats([1, values.length], (i) => values[i]!) },
});

function run(
  model: Model,
  tensors: readonly string[],
  samples: readonly Sample[],
  options: Partial<CalibrateOptions> = {},
) {
  return calibrate(
    model,
    tensors,
    datasetOf(samples),
    samples.map((_, i) => i),
    { modelSha256: sha, ...options },
  );
}

/** Health is told of samples that run one by one; ranges are the same in any batch. */
function observed(arrays: ObserverState): ObserverState {
  return Object.fromEntries(Object.entries(arrays).filter(([key]) => !key.startsWith('health.')));
}

describe('calibrate', () => {
  it('gives the ranges of the selected samples and says where they come from', async () => {
    const samples = [row('a', -1, 0, 1), row('b', 0.5, 2, 3), row('c', -9, 9, 0), row('d', -2, -3, 0)];
    const progress: [number, number | undefined][] = [];
    const onProgress = (done: number, total: number | undefined) => progress.push([done, total]);
    const dataset = datasetOf(samples);
    const state = await calibrate(relu, ['y', 'x', 'y'], dataset, [0, 1, 3], { modelSha256: sha, onProgress });
    expect([...rangesOf(state)]).toEqual([
      ['y', { min: 0, max: 3 }],
      ['x', { min: -3, max: 3 }],
    ]);
    expect(state).toMatchObject({
      modelSha256: sha,
      observer: 'minmax',
      samples: 3,
      notes: [],
      source: 'made-up',
      synthetic: true,
    });
    expect(state.idsHash).toBe(dataset.idsHash([0, 1, 3]));
    expect(progress).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });

  it('reads a stream', async () => {
    const samples = floatSamples(5, [1, 3]);
    const progress: (number | undefined)[] = [];
    const options = { modelSha256: sha, onProgress: (_: number, total: number | undefined) => progress.push(total) };
    const state = await calibrate(relu, ['x'], datasetOf(samples, { stream: true }), { from: 1 }, options);
    expect(state.samples).toBe(4);
    expect(progress).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each([
    ['resnet', resnet({ blocks: [1, 1], width: 8, size: 32, classes: 10 })],
    ['mobilenet', mobilenet({ width: 0.25, size: 32, classes: 10 })],
  ])('gives the same bits for any thread count and batch size: %s', async (_, model) => {
    const samples = floatSamples(6, [1, 3, 32, 32], 'input');
    const tensors = quantizedActivations(model);
    const reference = await run(model, tensors, samples);
    for (const [batchSize, threads] of [
      [1, 2],
      [4, 1],
      [4, 2],
    ] as const) {
      const { arrays } = await run(model, tensors, samples, { batchSize, threads });
      expect(observed(arrays), `batch ${batchSize}, ${threads} threads`).toEqual(observed(reference.arrays));
      if (batchSize === 1) expect(arrays).toEqual(reference.arrays);
    }
  });

  it.each(observers.map(({ id }) => id))(
    'gives the same bits for batch 1, 7 and 32, in any order: %s',
    async (observer) => {
      const model = resnet({ blocks: [1, 1], width: 8, size: 32, classes: 10 });
      const samples = floatSamples(9, [1, 3, 32, 32], 'input');
      const tensors = quantizedActivations(model);
      const reference = await run(model, tensors, samples, { observer });
      for (const batchSize of [7, 32])
        expect(observed((await run(model, tensors, samples.toReversed(), { observer, batchSize })).arrays)).toEqual(
          observed(reference.arrays),
        );
      expect((await run(model, tensors, samples.toReversed(), { observer })).arrays).toEqual(reference.arrays);
      const halves = [samples.slice(0, 4), samples.slice(4)].map((half) => run(model, tensors, half, { observer }));
      const [a, b] = await Promise.all(halves);
      expect(observerOf(observer).merge(a!.arrays, b!.arrays)).toEqual(reference.arrays);
    },
  );

  it('counts no sample twice that fills up a batch', async () => {
    const fixed = buildModel({ inputs: { x: [4, 2] }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
    const samples = Array.from({ length: 6 }, (_, i) => row(`s${i}`, i, 1));
    const { counts } = (await run(fixed, ['y'], samples, { observer: 'percentile' })).arrays;
    expect((counts as Float64Array).reduce((sum, count) => sum + count, 0)).toBe(12);
  });

  it('fills up the last batch of a model with a fixed batch', async () => {
    const fixed = buildModel({ inputs: { x: [4, 2] }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
    const samples = Array.from({ length: 6 }, (_, i) => row(`s${i}`, i, 1));
    const state = await run(fixed, ['y'], samples);
    expect(rangesOf(state).get('y')).toEqual({ min: -5, max: 0 });
    expect(state.samples).toBe(6);
    expect(state.notes).toEqual([
      'the model takes exactly 4 samples at a time: a short batch is filled up with its last sample',
    ]);
    const whole = [{ id: 'whole', inputs: { x: floats([4, 2], (i) => i) } }];
    expect(rangesOf(await run(fixed, ['y'], whole)).get('y')).toEqual({ min: -7, max: 0 });
    const three = [{ id: 'three', inputs: { x: floats([3, 2], (i) => i) } }];
    await expect(run(fixed, ['y'], three)).rejects.toMatchObject({ code: 'DATA_ROWS' });
  });

  it('says so when a larger batch is not possible', async () => {
    const single = buildModel({ inputs: { x: [1, 2] }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
    const state = await run(single, ['y'], [row('a', 1, 2), row('b', 3, 4)], { batchSize: 8 });
    expect(state.remarks).toEqual(['the model takes 1 sample at a time']);
    expect(state.notes).toEqual([]);
    await expect(run(single, ['y'], [row('a', 1, 2)], { batchSize: 0 })).rejects.toMatchObject({
      code: 'CALIBRATE_BATCH_SIZE',
    });
  });

  it('refuses to calibrate on nothing', async () => {
    await expect(run(relu, ['y'], [])).rejects.toMatchObject({ code: 'CALIBRATE_NO_SAMPLES' });
    await expect(run(relu, [], [row('a', 1, 2, 3)])).rejects.toMatchObject({ code: 'CALIBRATE_NO_TENSORS' });
  });
});

describe('values that are not finite', () => {
  const conv = (
    weights: readonly number[],
    tail = [node('Relu', ['a'], ['b']), node('MaxPool', ['b'], ['y'], { kernel_shape: [2, 2] })],
  ) =>
    buildModel({
      inputs: { x: ['n', 8, 6, 6] },
      initializers: { w: f32([8, 8, 1, 1], weights), s: scalar('float32', 0.5) },
      nodes: [node('Conv', ['x', 'w'], ['a']), ...tail],
      outputs: ['y'],
    });
  const plain = Array.from({ length: 64 }, (_, i) => Math.sin(i));
  const image = (id: string, change?: readonly [number, number]): Sample => ({
    id,
    inputs: { x: floats([1, 8, 6, 6], (i) => (change?.[0] === i ? change[1] : 1 + Math.sin(i))) },
  });

  it.each([0, 1, 100, 287])('finds NaN in an input image, position %i', async (at) => {
    const samples = [image('good'), image('bad', [at, NaN]), image('fine'), image('worse', [at, NaN])];
    for (const batchSize of [1, 4]) {
      await expect(run(conv(plain), ['y'], samples, { batchSize })).rejects.toMatchObject({
        code: 'CALIBRATE_NAN',
        message: `tensor 'x', a graph input, holds NaN for ${batchSize === 1 ? "sample 'bad'" : "samples 'bad', 'worse'"}`,
      });
    }
  });

  it('finds NaN in a weight and names the weight', async () => {
    const weights = plain.with(17, NaN);
    for (const tensors of [['x', 'b', 'y'], ['y']]) {
      await expect(run(conv(weights), tensors, [image('first')])).rejects.toMatchObject({
        code: 'CALIBRATE_NAN',
        message: "tensor 'a', made by node 'n_a' from its constant 'w', holds NaN for sample 'first'",
      });
    }
  });

  it('finds NaN that arises inside the graph and is swallowed there', async () => {
    // The square root of a negative number; MaxPool and ReduceMax lose it again.
    const tails = [
      [node('Sqrt', ['a'], ['b']), node('Relu', ['b'], ['c']), node('MaxPool', ['c'], ['y'], { kernel_shape: [3, 3] })],
      [node('Sqrt', ['a'], ['b']), node('ReduceMax', ['b'], ['y'], { axes: [1, 2, 3] })],
      [node('Sqrt', ['a'], ['b']), node('Greater', ['b', 's'], ['c']), node('Where', ['c', 'b', 's'], ['y'])],
    ];
    const identity = Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0));
    for (const tail of tails) {
      const model = conv(identity, tail);
      expect(rangesOf(await run(model, ['y'], [image('good')])).get('y')!.max).toBeGreaterThan(1);
      await expect(run(model, ['y'], [image('good'), image('bad', [40, -4])])).rejects.toMatchObject({
        code: 'CALIBRATE_NAN',
        message: "tensor 'b', made by node 'n_b', holds NaN for sample 'bad'",
      });
    }
  });

  it('finds it with a fixed batch, where samples cannot run alone', async () => {
    const model = buildModel({ inputs: { x: [2, 3] }, nodes: [node('Sqrt', ['x'], ['y'])], outputs: ['y'] });
    const samples = [row('a', 1, 2, 3), row('b', 4, 5, 6), row('c', 1, -1, 1)];
    await expect(run(model, ['y'], samples)).rejects.toMatchObject({
      code: 'CALIBRATE_NAN',
      message: "tensor 'y', made by node 'n_y', holds NaN for sample 'c'",
    });
  });

  it('finds infinity in an observed tensor, float16 too, and leaves it alone elsewhere', async () => {
    const model = buildModel({
      inputs: { x: ['n', 3] },
      nodes: [node('Reciprocal', ['x'], ['r']), node('Cast', ['r'], ['h'], { to: 10 }), node('Sigmoid', ['r'], ['y'])],
      outputs: ['h', 'y'],
    });
    const samples = [row('a', 1, 2, 3), row('b', 1, 0, 3)];
    expect(rangesOf(await run(model, ['y'], samples)).get('y')!.max).toBe(1);
    for (const tensor of ['r', 'h']) {
      await expect(run(model, [tensor], samples)).rejects.toMatchObject({
        code: 'CALIBRATE_INFINITY',
        message: `tensor '${tensor}', made by node 'n_${tensor}', holds infinity for sample 'b'`,
      });
    }
  });

  it('does not mistake a sum that overflows', async () => {
    const model = buildModel({ inputs: { x: ['n', 3] }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
    const state = await run(model, ['y'], [row('huge', 3e38, 3e38, -1)]);
    expect(rangesOf(state).get('y')).toEqual({ min: -Math.fround(3e38), max: 1 });
  });

  it('looks past integer tensors, whose sums mean nothing', async () => {
    const model = buildModel({
      inputs: { x: ['n', 4] },
      initializers: { two: i64([2]) },
      nodes: [node('Shape', ['x'], ['s']), node('Mul', ['s', 'two'], ['t']), node('TopK', ['x', 'two'], ['y', 'at'])],
      outputs: ['y', 'at', 't'],
    });
    expect(rangesOf(await run(model, ['y'], [row('a', 4, 1, 3, 2)])).get('y')).toEqual({ min: 0, max: 4 });
    await expect(run(model, ['y'], [row('a', 4, 1, NaN, 2)])).rejects.toMatchObject({ code: 'CALIBRATE_NAN' });
  });
});
