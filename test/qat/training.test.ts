/** The pieces of a training run: the graph of a whole network, the bias grid, augmentation, the order of batches, checkpoints. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/graph/model.ts';
import { random } from '../../src/data/random.ts';
import type { Dataset, Sample } from '../../src/data/sample.ts';
import { readAugment } from '../../src/qat/augment.ts';
import { trainingBatches } from '../../src/qat/batches.ts';
import { ahead } from '../../src/data/batch.ts';
import { onGrid } from '../../src/qat/view.ts';
import { checkpointPath, readCheckpoint, writeCheckpoint } from '../../src/qat/checkpoint.ts';
import { initialState, update, type UpdateOptions } from '../../src/qat/update.ts';
import { optimizerOf } from '../../src/qat/optimizers.ts';
import { findFakeQuants, showInside, withoutFakeQuants } from '../../src/qat/fake-quant.ts';
import { gatherParameters, type Parameter } from '../../src/qat/parameters.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { Engine } from '../../src/qat/engine.ts';
import { createExecutor, openSession } from '../../src/backends/session.ts';
import { serializeModel } from '../../src/backends/serialized-model.ts';
import {
  buildForwardGraph,
  buildTrainingGraph,
  parameterFeeds,
  type TrainingGraph,
} from '../../src/qat/training-graph.ts';
import type { LossTerm } from '../../src/qat/losses.ts';
import { run } from '../quantized/support.ts';
import { eight, fakeQuantized, images, residual } from './support.ts';

const batch = 4;
const feeds = { x: images(batch) };

type Graph = Omit<TrainingGraph, 'model'>;

async function trainingGraph(model: Model, terms: readonly LossTerm[]): Promise<{ training: Model; graph: Graph }> {
  const built = await buildTrainingGraph(model, terms, feeds, batch, traceShapes, createExecutor());
  const { model: training, ...graph } = built;
  return { training, graph };
}

function engineFor(model: Model, training: Model, graph: Graph, teacher: Model): Engine {
  return new Engine({
    training: [serializeModel(training, 'training')],
    graphs: [graph],
    modelParameters: graph.parameters,
    forward: serializeModel(buildForwardGraph(model, graph.parameters), 'forward'),
    teacher: serializeModel(teacher, 'teacher'),
    inputs: ['x'],
    threads: 1,
  });
}

describe('the training graph', () => {
  it('has the gradient of the loss: what a small step along it changes is its square, for the last layer', async () => {
    const model = await fakeQuantized(residual(), feeds, eight);
    const terms = [{ loss: 'kl', weight: 1, temperature: 1 }];
    const { training, graph } = await trainingGraph(model, terms);
    const kinds = (kind: string): string[] =>
      graph.parameters.filter((each) => each.kind === kind).map(({ name }) => name);
    expect(kinds('weight').sort()).toEqual(['w1', 'w2', 'w3', 'w4']);
    expect(kinds('bias').sort()).toEqual(['w1_b', 'w2_b', 'w3_b', 'w4_b']);
    expect(kinds('scale').length).toBeGreaterThan(8);
    const engine = engineFor(model, training, graph, withoutFakeQuants(model));
    const values = gatherParameters(model, graph.parameters);
    const gradients = new Float32Array(values.length);
    const { loss } = await engine.step(values, [{ feeds }], gradients);
    expect(loss).toBeGreaterThan(0);
    // The last bias has no quantizer of its own: the loss is smooth in it.
    const { offset, length } = graph.parameters.find(({ name }) => name === 'w4_b')!;
    for (let i = offset; i < offset + length; i++) {
      const at = async (h: number): Promise<number> => {
        const moved = values.slice();
        moved[i] = moved[i]! + h;
        return (await engine.step(moved, [{ feeds }], new Float32Array(values.length))).loss;
      };
      const h = 0.02;
      // Central differences in float32: the loss has about six digits, h is large for that.
      expect(((await at(h)) - (await at(-h))) / (2 * h)).toBeCloseTo(gradients[i]!, 3);
    }
    // Two shards of the same batch: the sums double.
    const twice = new Float32Array(values.length);
    await engine.step(values, [{ feeds }, { feeds }], twice);
    twice.forEach((value, i) => expect(value).toBeCloseTo(2 * gradients[i]!, 5));
    await engine.dispose();
  });

  it('compares what is quantized inside with the teacher: the mean of the relative errors, by another way', async () => {
    const model = await fakeQuantized(residual(), feeds, eight);
    const terms = [{ loss: 'features', weight: 0.5, temperature: 1 }];
    const { training, graph } = await trainingGraph(model, terms);
    const teacher = withoutFakeQuants(model);
    showInside(teacher, graph.teacher.keys(), 'float.onnx');
    const engine = engineFor(model, training, graph, teacher);
    const values = gatherParameters(model, graph.parameters);
    const { loss, terms: parts } = await engine.step(values, [{ feeds }], new Float32Array(values.length));
    await engine.dispose();

    const inside = findFakeQuants(model).filter(({ input }) => !input.isConstant && !input.isInput);
    for (const { dequantize } of inside) {
      const codes = dequantize[0]!.output()!;
      if (!codes.isOutput) model.graph.addOutput(codes);
    }
    // Simulated, as in training: integer kernels round otherwise.
    const simulated = await openSession(model, { simulate: true, level: 'basic' });
    const [student, { outputs: wanted }] = [await simulated.run(feeds), await run(teacher, feeds)];
    await simulated.dispose();
    expect([...graph.teacher.keys()].sort()).toEqual(inside.map(({ input }) => input.name).sort());
    const errors = inside.map(({ input, dequantize }) => {
      const [is, should] = [student[dequantize[0]!.output()!.name]!, wanted[input.name]!].map(
        (value) => value.data as Float32Array,
      ) as [Float32Array, Float32Array];
      const length = is.length / batch;
      return mean(
        Array.from({ length: batch }, (_, sample) => {
          const own = (values: Float32Array): Float32Array => values.subarray(sample * length, (sample + 1) * length);
          const power = own(should).reduce((sum, t) => sum + t * t, 0);
          return own(is).reduce((sum, y, i) => sum + (y - own(should)[i]!) ** 2, 0) / power;
        }),
      );
    });
    // Sums of some hundred float32 values.
    expect(parts[0]! / mean(errors)).toBeCloseTo(1, 4);
    expect(loss).toBeCloseTo(parts[0]! / 2, 6);
    expect(() => showInside(residual(), ['nowhere'], 'other.onnx')).toThrow(
      /other\.onnx does not match: it has no 'nowhere'/,
    );
  });

  it.each([
    [16, 14, 0.02],
    [12, 12, 0.1],
  ])(
    'at A%i W%i, codes in 16 bits, it has the gradient of the float model, nearly',
    async (activations, weights, bound) => {
      const gradient = async (model: Model): Promise<Map<string, Float32Array>> => {
        model.opsets.set('', 21);
        const { model: training, ...graph } = await buildTrainingGraph(
          model,
          [{ loss: 'kl', weight: 1, temperature: 1 }],
          feeds,
          batch,
          traceShapes,
          createExecutor(),
        );
        const values = gatherParameters(model, graph.parameters);
        const session = await openSession(training, { simulate: true, level: 'basic' });
        const data = Float32Array.from({ length: 20 }, (_, i) => i % 3);
        const wanted = { type: 'float32' as const, dims: [batch, 5], data };
        const inputs = { ...feeds, ...parameterFeeds(graph.parameters, values), [graph.teacher.get('y')!]: wanted };
        const results = await session.run(inputs);
        await session.dispose();
        return new Map(
          graph.parameters.map(({ name }, i) => [name, results[graph.gradients[i]!]!.data as Float32Array]),
        );
      };
      const widths = { weights, activations, firstLast: weights };
      // Ranges of larger samples: the mask leaves out what lies at the very ends, a good part of so few pooled features.
      const larger = { x: { ...feeds.x, data: (feeds.x.data as Float32Array).map((value) => 1.5 * value) } };
      const wide = await fakeQuantized(residual(), larger, widths, { activationType: 'uint16', weightType: 'int16' });
      const casts = [...wide.graph.nodes()].filter((each) => each.is('Cast'));
      expect(casts.length).toBeGreaterThan(8);
      const [own, float] = [await gradient(wide), await gradient(residual())];
      for (const name of ['w1', 'w2', 'w3', 'w4', 'w1_b', 'w4_b']) {
        const [a, b] = [own.get(name)!, float.get(name)!];
        // Rounding turns a Relu here and there, and masks the largest weight of some channels: parts of the whole.
        const difference = Math.hypot(...a.map((value, i) => value - b[i]!));
        expect(difference / Math.hypot(...b), name).toBeLessThan(bound);
      }
    },
  );

  it('has the float model as teacher', async () => {
    const model = await fakeQuantized(residual(), feeds, eight);
    const [a, b] = [await run(residual(), feeds), await run(withoutFakeQuants(model), feeds)];
    expect(b.outputs['y']).toEqual(a.outputs['y']);
  });
});

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const parameters: Parameter[] = [
  { name: 'w', kind: 'weight', dims: [2], offset: 0, length: 2 },
  { name: 'b', kind: 'bias', dims: [2], offset: 2, length: 2 },
  { name: 's', kind: 'scale', dims: [], offset: 4, length: 1, levels: 4, elements: 25 },
];
const options: UpdateOptions = {
  optimizer: optimizerOf('sgd'),
  momentum: 0,
  nesterov: false,
  weightDecay: 0.5,
  scales: 'lsq',
  scaleLr: 2,
  clipNorm: undefined,
  clipValue: undefined,
};
const moving = { scales: false, statistics: true };
const start = (): Float32Array => Float32Array.of(1, -1, 2, 0, 0.5);

describe('an update', () => {
  const after = (more: Partial<UpdateOptions>, resting = {}, g = [1, 1, 1, 1, 1]): number[] => {
    const state = initialState(start(), options.optimizer);
    update(state, Float32Array.from(g), parameters, 0.1, { ...options, ...more }, { ...moving, ...resting });
    return [...state.parameters].map((x) => Number(x.toFixed(5)));
  };

  it('decays weights alone, and scales the gradient of a scale by 1/√(elements · levels)', () => {
    expect(after({})).toEqual([0.85, -1.05, 1.9, -0.1, 0.48]);
    expect(after({ scales: 'log', scaleLr: 1 })[4]).toBeCloseTo(0.5 * Math.exp(-0.1 * 0.5), 5);
    expect(after({ scales: 'none' })[4]).toBe(0.5);
    expect(after({}, { scales: true })[4]).toBe(0.5);
  });

  it('lets scales of more than 8 bits rest, unless they are trained in the logarithm', () => {
    const wide = parameters.map((each) => ({ ...each, ...(each.kind === 'scale' && { levels: 2047 }) }));
    const scaleAfter = (scales: 'lsq' | 'log'): number => {
      const state = initialState(start(), options.optimizer);
      update(state, Float32Array.of(1, 1, 1, 1, 1), wide, 0.1, { ...options, scales }, moving);
      return state.parameters[4]!;
    };
    expect(scaleAfter('lsq')).toBe(0.5);
    expect(scaleAfter('log')).toBeLessThan(0.5);
  });

  it('clips the gradient by value, and by norm', () => {
    expect(after({ clipValue: 0.5, weightDecay: 0 }).slice(0, 2)).toEqual([0.95, -1.05]);
    const norm = Math.hypot(1, 1, 1, 1, 0.1);
    expect(after({ clipNorm: 1, weightDecay: 0 })[0]).toBeCloseTo(1 - 0.1 / norm, 5);
  });

  it('never makes a scale zero or negative', () => {
    expect(after({}, {}, [0, 0, 0, 0, 1e6])[4]).toBeCloseTo(0.05, 6);
    // Pushed down for ever, as that of a dead channel is: a tenth per step would be 0 in float32 after 45.
    const state = initialState(start(), options.optimizer);
    for (let i = 0; i < 100; i++) {
      update(state, Float32Array.of(0, 0, 0, 0, 1e6), parameters, 0.1, options, moving);
    }
    expect(state.parameters[4]).toBe(2 ** -64);
  });

  it('refuses a gradient that is not finite, by the name of its tensor', () => {
    expect(() => after({}, {}, [0, 0, NaN, 0, 0])).toThrow(/gradient of 'b' is not finite in step 1/);
  });
});

it('biases lie on the grid of input scale × weight scale', () => {
  const grid = { offset: 2, length: 2, input: { offset: 4, length: 1 }, weight: Float32Array.of(0.25, 0.5) };
  const out = onGrid(Float32Array.of(9, 9, 0.3, 0.3, 0.5), [grid], new Float32Array(5));
  expect([...out]).toEqual([9, 9, 0.25, 0.25, 0.5]);
});

/** Samples 0 … count - 1, each holding its number. */
function numbered(count: number | undefined): Dataset {
  const sample = (i: number): Sample => ({
    id: `${i}`,
    inputs: { x: { type: 'float32', dims: [1], data: Float32Array.of(i) } },
  });
  return {
    ...{ source: 'test', format: 'test', count, labelled: false, preprocess: undefined, synthetic: false },
    async *samples(selection) {
      const positions = 'from' in selection ? Array.from({ length: 7 }, (_, i) => i) : selection;
      for (const position of positions) yield sample(position);
    },
    idsHash: () => undefined,
  };
}

async function take(count: number, from: number, dataset = numbered(10)): Promise<string[][]> {
  const positions = dataset.count === undefined ? undefined : Array.from({ length: 10 }, (_, i) => i);
  const source = ahead(trainingBatches({ dataset, positions, size: 3, seed: 5, augment: undefined }, from));
  const ids: string[][] = [];
  for await (const samples of source) {
    ids.push(samples.map(({ id }) => id));
    if (ids.length === count) break;
  }
  return ids;
}

describe('batches', () => {
  it('are the same from any step on, and shuffled anew for each epoch', async () => {
    const all = await take(9, 0);
    for (const from of [1, 3, 5]) expect(await take(9 - from, from)).toEqual(all.slice(from));
    // Three whole batches to an epoch; one sample of ten waits.
    for (const epoch of [0, 1, 2]) expect(new Set(all.slice(epoch * 3, epoch * 3 + 3).flat()).size).toBe(9);
    expect(all.slice(0, 3)).not.toEqual(all.slice(3, 6));
  });

  it('of a stream follow its order, over and over', async () => {
    const all = await take(5, 0, numbered(undefined));
    expect(all.flat().join('')).toBe('012345601234560');
    expect(await take(2, 3, numbered(undefined))).toEqual(all.slice(3));
  });

  it('need enough samples for one', async () => {
    const request = { dataset: numbered(10), positions: [1, 2], size: 3, seed: 0, augment: undefined };
    await expect(trainingBatches(request, 0).next()).rejects.toThrow(/2 samples do not make one step of 3/);
  });
});

describe('augmentation', () => {
  const image: Sample = {
    id: 'i',
    inputs: { x: { type: 'float32', dims: [1, 1, 2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } },
  };
  const change = async (spec: string, seed: number): Promise<number[]> => [
    ...((await (await readAugment(spec))(image, random(seed))).inputs['x']!.data as Float32Array),
  ];

  it('flips, shifts and colours images, the same for a seed', async () => {
    expect(await change('flip=1', 0)).toEqual([3, 2, 1, 6, 5, 4]);
    expect(await change('crop=1 color=0.2', 3)).toEqual(await change('crop=1 color=0.2', 3));
    const shifted = await Promise.all(Array.from({ length: 20 }, (_, seed) => change('crop=1', seed)));
    // Up and left by one, the border repeated.
    expect(shifted).toContainEqual([5, 6, 6, 5, 6, 6]);
    expect((await change('color=0.1', 1)).every((value, i) => Math.abs(value - (i + 1)) < 1)).toBe(true);
  });

  it('comes from a module, too', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'qdq-augment-')), 'double.mjs');
    writeFileSync(
      path,
      'export default (s) => ({ ...s, inputs: { x: { ...s.inputs.x, data: s.inputs.x.data.map((v) => 2 * v) } } });',
    );
    expect(await change(path, 0)).toEqual([2, 4, 6, 8, 10, 12]);
  });

  it('refuses words it does not know', async () => {
    for (const wrong of ['flop', 'crop=0', 'crop=x'])
      await expect(readAugment(wrong)).rejects.toThrow(/no augmentation/);
    await expect(readAugment('nowhere.mjs')).rejects.toThrow(/cannot be used to augment/);
  });
});

describe('a checkpoint', () => {
  const settings = { lr: 0.1, loss: 'kl' };
  const written = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'qdq-checkpoint-'));
    const state = initialState(start(), options.optimizer);
    update(state, Float32Array.of(1, 2, 3, 4, 5), parameters, 0.1, { ...options, momentum: 0.9 }, moving);
    const best = { step: 1, metric: { name: 'top1', value: 0.1 + 0.2 }, parameters: start() };
    const progress = { best, sinceBest: 2, firstLoss: 1 / 3 };
    const curve = [{ step: 1, loss: 1 / 7, lr: 0.1, norm: 3, terms: [1 / 7] }];
    writeCheckpoint(folder, settings, { state, progress, curve, evaluations: [{ step: 1, name: 'top1', value: 0.3 }] });
    return folder;
  };

  it('gives back every bit', () => {
    const found = readCheckpoint(written(), settings, ['momentum'], 5)!;
    const state = initialState(start(), options.optimizer);
    update(state, Float32Array.of(1, 2, 3, 4, 5), parameters, 0.1, { ...options, momentum: 0.9 }, moving);
    expect(found.state).toEqual(state);
    expect(found.progress.best!.parameters).toEqual(start());
    expect(found.progress.best!.metric.value).toBe(0.1 + 0.2);
    expect([found.progress.firstLoss, found.curve[0]!.loss]).toEqual([1 / 3, 1 / 7]);
  });

  it('is refused for other settings, which are named, and when it is damaged', () => {
    const folder = written();
    expect(() => readCheckpoint(folder, { ...settings, lr: 0.2 }, ['momentum'], 5)).toThrow(
      /'lr' was 0.1, now it is 0.2/,
    );
    expect(() => readCheckpoint(folder, settings, ['momentum'], 6)).toThrow(/not that of this model/);
    const bytes = readFileSync(checkpointPath(folder));
    writeFileSync(checkpointPath(folder), bytes.subarray(0, -3));
    expect(() => readCheckpoint(folder, settings, ['momentum'], 5)).toThrow(/cannot be resumed/);
    expect(readCheckpoint(join(folder, 'none'), settings, ['momentum'], 5)).toBeUndefined();
  });
});
