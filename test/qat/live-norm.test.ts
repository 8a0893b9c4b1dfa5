/** BatchNormalization that takes part in training, held against PyTorch's ConvBnReLU2d (golden/conv-bn.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { serializeModel } from '../../src/backends/serialized-model.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { forward } from '../../src/graph/rewrite.ts';
import { removeDead } from '../../src/graph/walk.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { emitFakeQuant } from '../../src/qat/emit.ts';
import { Engine } from '../../src/qat/engine.ts';
import { findFakeQuants, withoutFakeQuants } from '../../src/qat/fake-quant.ts';
import { unfoldNorms, type Statistics } from '../../src/qat/live-norm.ts';
import { dropNorms, findNorms, readNorms, recordNorms, writeNorms } from '../../src/qat/norm-record.ts';
import { initialState, update, type UpdateOptions } from '../../src/qat/update.ts';
import { optimizerOf } from '../../src/qat/optimizers.ts';
import { gatherParameters } from '../../src/qat/parameters.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { targetsOf } from '../../src/qat/batches.ts';
import { buildForwardGraph, buildTrainingGraph } from '../../src/qat/training-graph.ts';
import { viewOf } from '../../src/qat/view.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { buildModel, f32, float, node } from '../support/build.ts';
import { planFor, rangesFor, run } from '../quantized/support.ts';

interface State {
  readonly weight: readonly number[];
  readonly gamma: readonly number[];
  readonly beta: readonly number[];
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}
interface Run {
  readonly scales: readonly number[];
  readonly before: State;
  readonly batches: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly after: readonly State[];
  readonly evaluated: readonly number[];
}
const golden = JSON.parse(readFileSync(new URL('golden/conv-bn.json', import.meta.url), 'utf8')) as {
  readonly freeze: number;
  readonly lr: number;
  readonly momentum: number;
  readonly float: Run;
  readonly quantized: Run;
};

const [batch, channels, classes] = [4, 2, 4];
const imageDims = [batch, channels, 4, 4];

function network({ weight, gamma, beta, mean, variance }: State, bias?: readonly number[]): Model {
  return buildModel({
    inputs: { x: ['N', channels, 4, 4] },
    initializers: {
      w: f32([classes, channels, 3, 3], [...weight]),
      ...(bias ? { b: f32([classes], [...bias]) } : {}),
      gamma: f32([classes], [...gamma]),
      beta: f32([classes], [...beta]),
      mean: f32([classes], [...mean]),
      variance: f32([classes], [...variance]),
    },
    nodes: [
      node('Conv', ['x', 'w', ...(bias ? ['b'] : [])], ['c'], { pads: [1, 1, 1, 1] }),
      node('BatchNormalization', ['c', 'gamma', 'beta', 'mean', 'variance'], ['n'], { epsilon: float(1e-5) }),
      node('Relu', ['n'], ['r']),
      node('GlobalAveragePool', ['r'], ['p']),
      node('Flatten', ['p'], ['y']),
    ],
    outputs: { y: ['N', classes] },
  });
}

/** Folded, with its records. */
async function folded(model: Model): Promise<ReturnType<typeof recordNorms> & { model: Model }> {
  const found = findNorms(model);
  await fuse(model, { executor: createExecutor() });
  return { model, ...recordNorms(model, found) };
}

const image = (data: readonly number[]): { type: 'float32'; dims: number[]; data: Float32Array } => ({
  type: 'float32',
  dims: imageDims,
  data: Float32Array.from(data),
});

const sgd: UpdateOptions = {
  optimizer: optimizerOf('sgd'),
  momentum: golden.momentum,
  nesterov: false,
  weightDecay: 0,
  scales: 'none',
  scaleLr: 1,
  clipNorm: undefined,
  clipValue: undefined,
};

describe('conv, BatchNormalization, relu', () => {
  it.each(['float', 'quantized'] as const)('trains as PyTorch does: %s', async (kind) => {
    const { before, batches, labels, losses, after, evaluated, scales } = golden[kind];
    const { model: float32, norms } = await folded(network(before));
    expect(norms).toHaveLength(1);
    const model = kind === 'float' ? float32 : await weightsOnly(float32, scales);
    const feeds = { x: image(batches[0]!) };
    const { model: live, folded: refused } = unfoldNorms(model, norms);
    expect(refused).toEqual([]);
    const terms = [{ loss: 'ce', weight: 1, temperature: 1 }];
    const phases = [];
    for (const statistics of ['batch', 'running'] as Statistics[]) {
      const executor = createExecutor();
      const built = await buildTrainingGraph(live, terms, feeds, batch, traceShapes, executor, { norms, statistics });
      checkModel(built.model);
      phases.push(built);
    }
    const { parameters } = phases[0]!;
    expect(phases[1]!.parameters).toEqual(parameters);
    const modelParameters = parameters.filter(({ name }) => model.graph.values.has(name));
    const engine = new Engine({
      training: phases.map(({ model: graph }) => serializeModel(graph, 'training')),
      graphs: phases.map(({ model: _, ...rest }) => rest),
      modelParameters,
      forward: serializeModel(buildForwardGraph(model, modelParameters), 'forward'),
      teacher: undefined,
      inputs: ['x'],
      threads: 1,
    });
    const view = viewOf(live, parameters, norms);
    const state = initialState(gatherParameters(live, parameters), sgd.optimizer);
    const seen = new Float32Array(state.parameters.length);
    const gradients = new Float32Array(state.parameters.length);
    for (const [step, data] of batches.entries()) {
      const phase = step < golden.freeze ? 0 : 1;
      const samples = labels[step]!.map((label, i) => ({ id: `${i}`, inputs: {}, label }));
      const shard = { feeds: { x: image(data) }, target: targetsOf(samples, { classes, smoothing: 0 }) };
      const { loss } = await engine.step(view.trained(state.parameters, seen), [shard], gradients, phase);
      // Float32 sums of 64 products in another order, amplified by 1/√variance and by each step: six digits become five.
      expect(loss).toBeCloseTo(losses[step]!, 5);
      update(state, gradients, parameters, golden.lr, sgd, { scales: true, statistics: phase === 1 });
      const values = (name: string): readonly number[] => {
        const { offset, length } = parameters.find((each) => each.name === name)!;
        return [...state.parameters.subarray(offset, offset + length)];
      };
      const { weight, bias } = norms[0]!;
      const own = {
        weight: values(weight),
        gamma: values(`${weight}/gamma`),
        beta: values(bias),
        mean: values(`${weight}/running_mean`),
        variance: values(`${weight}/running_variance`),
      };
      for (const part of ['weight', 'gamma', 'beta', 'mean', 'variance'] as const) {
        own[part].forEach((value, i) =>
          expect(value, `${part} ${i} after ${step}`).toBeCloseTo(after[step]![part][i]!, 5),
        );
      }
    }
    // What is evaluated is the folded model, whose output PyTorch has in its evaluation mode.
    const { y } = await engine.forward(view.evaluated(state.parameters, seen), feeds);
    (y!.data as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(evaluated[i]!, 5));
    await engine.dispose();
  });

  /** Weights quantized as in the golden run, and nothing else. */
  async function weightsOnly(source: Model, scales: readonly number[]): Promise<Model> {
    const plan = planFor(source, { weightRange: 'full' });
    const ranges = await rangesFor(source, plan, { x: image(golden.quantized.batches[0]!) });
    const widths = { weights: 4, activations: 8, firstLast: 4 };
    const model = emitFakeQuant(source, plan, widths, () => ranges);
    for (const { input, scale, dequantize } of findFakeQuants(model)) {
      if (input.isConstant)
        scale.initializer = Tensor.of(scale.name, 'float32', [...scale.dims!] as number[], Float32Array.from(scales));
      else for (const pair of dequantize) forward(pair.output()!, input);
    }
    removeDead(model.graph);
    return model;
  }

  it('is the folded layer before training, to the last digits, whatever the layer', async () => {
    const bias = [0.5, -0.25, 1, 0];
    const { model, norms } = await folded(network(golden.float.before, bias));
    const feeds = { x: image(golden.float.batches[0]!) };
    const { model: live } = unfoldNorms(model, norms);
    const executor = createExecutor();
    const built = await buildTrainingGraph(
      live,
      [{ loss: 'mse', weight: 1, temperature: 1 }],
      feeds,
      batch,
      traceShapes,
      executor,
      { norms, statistics: 'running' },
    );
    const engine = new Engine({
      training: [serializeModel(built.model, 'training')],
      graphs: [built],
      modelParameters: [],
      forward: serializeModel(model, 'forward'),
      teacher: serializeModel(withoutFakeQuants(model), 'teacher'),
      inputs: ['x'],
      threads: 1,
    });
    const values = gatherParameters(live, built.parameters);
    const { loss } = await engine.step(values, [{ feeds }], new Float32Array(values.length));
    await engine.dispose();
    // Relative squared error of float32: (2^-24)² times a few dozen roundings.
    expect(loss).toBeLessThan(1e-12);
    const out = viewOf(live, built.parameters, norms).evaluated(values, values.slice());
    for (const { name, offset, length } of built.parameters.slice(0, 2)) {
      const expected = model.graph.values.get(name)!.constant!.floats();
      expected.forEach((value, i) => expect(out[offset + i]).toBeCloseTo(value, 6));
      expect(length).toBe(expected.length);
    }
    const { outputs } = await run(network(golden.float.before, bias), feeds);
    expect(outputs['y']!.dims).toEqual([batch, classes]);
  });
});

describe('the records', () => {
  it('go through the metadata bit by bit, and are gone when dropped', async () => {
    const { model, norms } = await folded(network(golden.float.before));
    writeNorms(model, { mode: 'train', norms });
    expect(readNorms(model)).toEqual({ mode: 'train', norms });
    model.metadata.set('qdq.batch-norm', '{"mode":"train"');
    expect(() => readNorms(model)).toThrow(/damaged/);
    dropNorms(model);
    expect(readNorms(model)).toBeUndefined();
  });

  it('say why one stays folded', async () => {
    const flat = { ...golden.float.before, gamma: [1, 0, 1, 1] };
    const { norms, folded: refused } = await folded(network(flat));
    expect(norms).toEqual([]);
    expect(refused[0]!.reason).toMatch(/scale is 0 in channel 1/);
  });
});
