/** The sweep itself: paths, sums, refusals, and whole networks along random directions. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { Model } from '../../src/graph/model.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { liveBatchNorm } from '../../src/qat/batch-norm.ts';
import { differentiate, influences } from '../../src/qat/differentiate.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { body, buildModel, f32, node, scalar, type ModelSpec } from '../support/build.ts';
import { uniform, type GradientCase, type Input } from '../ops/gradients/case.ts';
import {
  appendLoss,
  checkGradients,
  feedsOf,
  gradientsOf,
  lossAt,
  modelOf,
  type Feeds,
} from '../ops/gradients/check.ts';

/** A small convolutional network of smooth functions: residual, stride, depthwise, pooling, classifier. */
const network: GradientCase = {
  nodes: [
    node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] }),
    node('Tanh', ['c1'], ['t1']),
    node('Conv', ['t1', 'w2', 'b2'], ['c2'], { pads: [1, 1, 1, 1], group: 8 }),
    node('Sigmoid', ['c2'], ['t2']),
    node('Conv', ['t2', 'w3'], ['c3']),
    node('Add', ['c3', 't1'], ['r']),
    node('Tanh', ['r'], ['t3']),
    node('Conv', ['t3', 'w4', 'b4'], ['c4'], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    node('Softplus', ['c4'], ['t4']),
    node('AveragePool', ['t4'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }),
    node('GlobalAveragePool', ['p'], ['g']),
    node('Flatten', ['g'], ['f']),
    node('Gemm', ['f', 'w5', 'b5'], ['logits'], { transB: 1 }),
    node('LogSoftmax', ['logits'], ['z']),
  ],
  inputs: {
    x: uniform([4, 3, 8, 8]),
    w1: uniform([8, 3, 3, 3], -0.4, 0.4),
    b1: uniform([8]),
    w2: uniform([8, 1, 3, 3], -0.6, 0.6),
    b2: uniform([8], -0.9, 1),
    w3: uniform([8, 8, 1, 1], -0.5, 0.5),
    w4: uniform([6, 8, 3, 3], -0.3, 0.3),
    b4: uniform([6]),
    w5: uniform([5, 6]),
    b5: uniform([5]),
  },
};

function moved(feeds: Feeds, name: string, direction: readonly number[], step: number): Feeds {
  const { dims, data } = feeds[name]!;
  const values = Float32Array.from(data as Float32Array, (value, i) => value + step * direction[i]!);
  return { ...feeds, [name]: { type: 'float32', dims, data: values } };
}

async function traced(spec: ModelSpec, inputs: Readonly<Record<string, Input>>) {
  const model = buildModel(spec);
  const feeds = feedsOf(inputs);
  await traceShapes(model, feeds);
  const loss = appendLoss(model);
  await traceShapes(model, feeds);
  return { model, loss, value: (name: string) => model.graph.values.get(name)! };
}

const bytesOf = (model: Model): Uint8Array => encodeModel(modelToProto(model));

describe('differentiate', () => {
  it('agrees with directional differences through a whole network', async () => {
    const feeds = feedsOf(network.inputs);
    const names = Object.keys(network.inputs);
    const gradients = await gradientsOf(modelOf(network), feeds, names);
    const session = await openSession(modelOf(network), { level: 'disabled' });
    try {
      for (const name of names) {
        const direction = uniform(network.inputs[name]!.dims, -1, 0.9).data;
        const slope = async (h: number): Promise<number> => {
          const [above, below] = [
            await lossAt(session, moved(feeds, name, direction, h)),
            await lossAt(session, moved(feeds, name, direction, -h)),
          ];
          return (above - below) / (2 * h);
        };
        const step = 2 ** -6;
        const expected = (4 * (await slope(step)) - (await slope(2 * step))) / 3;
        const data = gradients[name]!.data as Float32Array;
        const actual = data.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        const size = Math.hypot(...data) * Math.hypot(...direction);
        // Relative to what the direction could have given at most: it may be nearly orthogonal to the gradient.
        expect(Math.abs(actual - expected) / size, name).toBeLessThan(1e-4);
        expect(Math.abs(actual)).toBeGreaterThan(1e-3 * size);
      }
    } finally {
      await session.dispose();
    }
  });

  it('touches only what lies between the tensors and the loss', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2, 3], w: [3, 3], v: [3, 3] },
        outputs: ['z'],
        nodes: [node('MatMul', ['x', 'w'], ['a']), node('Tanh', ['a'], ['t']), node('MatMul', ['t', 'v'], ['z'])],
      },
      { x: uniform([2, 3]), w: uniform([3, 3]), v: uniform([3, 3]) },
    );
    const before = model.graph.nodeCount;
    differentiate(model.graph, loss, [value('v')]);
    const added = [...model.graph.nodes()].slice(before).map(({ name }) => name);
    expect(added.some((name) => name.startsWith('grad/n_z/'))).toBe(true);
    expect(added.filter((name) => name.startsWith('grad/n_t/') || name.startsWith('grad/n_a/'))).toEqual([]);
  });

  it('writes the same graph every time', async () => {
    const build = async (): Promise<Uint8Array> => {
      const model = modelOf(network);
      await gradientsOf(model, feedsOf(network.inputs), ['w1', 'w4', 'b5']);
      return bytesOf(model);
    };
    expect(await build()).toEqual(await build());
  });

  it('gives gradients of constants and of inner values', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2, 2] },
        outputs: ['z'],
        nodes: [node('Mul', ['x', 'k'], ['a']), node('Mul', ['a', 'a'], ['z'])],
        initializers: { k: f32([2], [2, 3]) },
      },
      { x: uniform([2, 2]) },
    );
    const gradients = differentiate(model.graph, loss, [value('k'), value('a')]);
    expect([...gradients.keys()].map(({ name }) => name)).toEqual(['k', 'a']);
    checkModel(model);
  });

  it('ends paths at comparisons, shapes and integers', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2, 3] },
        outputs: ['z'],
        nodes: [
          node('Greater', ['x', 'zero'], ['mask']),
          node('Cast', ['mask'], ['m'], { to: 1 }),
          node('Shape', ['x'], ['shape']),
          node('Expand', ['m', 'shape'], ['e']),
          node('Mul', ['x', 'e'], ['z']),
        ],
        initializers: { zero: scalar('float32', 0) },
      },
      { x: uniform([2, 3]) },
    );
    differentiate(model.graph, loss, [value('x')]);
    const touched = [...model.graph.nodes()].filter(({ name }) => /^grad\/n_(mask|m|shape|e)\//.test(name));
    expect(touched).toEqual([]);
  });

  it('refuses all nodes without a gradient at once and leaves the graph as it was', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2, 3] },
        outputs: ['z'],
        nodes: [
          node('Round', ['x'], ['r']),
          node('Tanh', ['r'], ['t']),
          node('Hardmax', ['t'], ['h']),
          node('Mul', ['h', 't'], ['z']),
        ],
      },
      { x: uniform([2, 3]) },
    );
    const before = bytesOf(model);
    const failure = catchError(() => differentiate(model.graph, loss, [value('x')]));
    expect(failure.code).toBe('QAT_NOT_DIFFERENTIABLE');
    expect(failure.message).toMatch(/2 nodes .*'n_r' \(Round\).*'n_h' \(Hardmax\)/);
    checkModel(model);
    expect(bytesOf(model)).toEqual(before);
  });

  it('refuses control flow on the path', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2] },
        outputs: ['z'],
        nodes: [
          node('Identity', ['x'], ['y']),
          node('If', ['yes'], ['z'], {
            then_branch: body({ outputs: ['a'], nodes: [node('Neg', ['y'], ['a'])] }),
            else_branch: body({ outputs: ['b'], nodes: [node('Abs', ['y'], ['b'])] }),
          }),
        ],
        initializers: { yes: { type: 'bool', dims: [], data: Uint8Array.of(1) } },
      },
      { x: uniform([2]) },
    );
    expect(catchError(() => differentiate(model.graph, loss, [value('x')])).message).toMatch(
      /'n_z' \(If\): .*control flow/,
    );
  });

  it('refuses an input for which the rule has no gradient', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2, 3, 4], s: [3] },
        outputs: ['z'],
        nodes: [node('Resize', ['x', '', 's'], ['z'])],
        opset: 18,
      },
      { x: uniform([2, 3, 4]), s: { dims: [3], data: [1, 1, 2] } },
    );
    expect(catchError(() => differentiate(model.graph, loss, [value('s')])).message).toMatch(/'n_z' \(Resize\)/);
  });

  it('tells which tensors the loss does not depend on', async () => {
    const { model, loss, value } = await traced(
      {
        inputs: { x: [2], y: [2] },
        outputs: ['z'],
        nodes: [node('Neg', ['x'], ['z']), node('Neg', ['y'], ['unused'])],
      },
      { x: uniform([2]), y: uniform([2]) },
    );
    expect(catchError(() => differentiate(model.graph, loss, [value('x'), value('y')])).message).toMatch(
      /does not depend on 'y'/,
    );
    expect(influences(model.graph, loss, [value('x'), value('y')])).toEqual([value('x')]);
  });

  it('wants one float number as the loss', async () => {
    const { model, value } = await traced(
      {
        inputs: { x: [2] },
        outputs: ['z'],
        nodes: [node('Neg', ['x'], ['z']), node('ArgMax', ['x'], ['i'], { axis: 0 })],
      },
      { x: uniform([2]) },
    );
    expect(catchError(() => differentiate(model.graph, value('z'), [value('x')])).message).toMatch(
      /its shape is \[2\]/,
    );
    expect(catchError(() => differentiate(model.graph, value('i'), [value('x')])).message).toMatch(/it is int64/);
  });

  it('asks for shapes to be traced first', () => {
    const model = buildModel({
      inputs: { x: ['n', 2] },
      outputs: { z: [] },
      nodes: [node('Softmax', ['x'], ['s']), node('ReduceSum', ['s'], ['z'], { keepdims: 0 })],
    });
    const [x, z] = ['x', 'z'].map((name) => model.graph.values.get(name)!);
    expect(catchError(() => differentiate(model.graph, z!, [x!])).code).toBe('QAT_SHAPE');
  });
});

describe('live BatchNormalization', () => {
  const statistics = { mean: f32([3], [0, 0, 0]), variance: f32([3], [1, 1, 1]) };
  const inputs = { x: uniform([4, 3, 2, 2], -1, 3), gamma: uniform([3], 0.5, 1.5), beta: uniform([3]) };
  const each: GradientCase = {
    nodes: [
      node('BatchNormalization', ['x', 'gamma', 'beta', 'mean', 'variance'], ['z', 'm', 'v'], { training_mode: 1 }),
    ],
    inputs,
    initializers: statistics,
  };
  const enliven = (model: Model): unknown =>
    [...model.graph.nodes()].filter((n) => n.is('BatchNormalization')).map(liveBatchNorm);

  it('has the gradient of the training mode of onnxruntime', async () => {
    // One run of that mode is right; it is the next ones that find their constants overwritten. Statistics as inputs are safe.
    const safe = { ...each, inputs: { ...inputs, mean: uniform([3]), variance: uniform([3], 1, 2) }, initializers: {} };
    const model = modelOf(safe);
    const feeds = feedsOf(safe.inputs);
    const gradients = await gradientsOf(model, feeds, ['x', 'gamma', 'beta'], enliven);
    const session = await openSession(modelOf(safe), { level: 'disabled' });
    try {
      for (const name of ['x', 'gamma', 'beta']) {
        const direction = uniform(feeds[name]!.dims as number[], -1, 0.8).data;
        const slope = async (h: number): Promise<number> => {
          return (
            ((await lossAt(session, moved(feeds, name, direction, h))) -
              (await lossAt(session, moved(feeds, name, direction, -h)))) /
            (2 * h)
          );
        };
        const expected = (4 * (await slope(2 ** -5)) - (await slope(2 ** -4))) / 3;
        const data = gradients[name]!.data as Float32Array;
        const actual = data.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        expect(Math.abs(actual - expected)).toBeLessThan(1e-4 * Math.hypot(...data) * Math.hypot(...direction));
      }
    } finally {
      await session.dispose();
    }
  });

  it('returns the statistics of the batch', async () => {
    const model = modelOf(each);
    await traceShapes(model, feedsOf(inputs));
    const [found] = [...model.graph.nodes()].map(liveBatchNorm);
    checkModel(model);
    expect(found!.count).toBe(16);
    model.graph.addOutput(found!.mean);
    model.graph.addOutput(found!.variance);
    const session = await openSession(model);
    const results = await session.run(feedsOf(inputs));
    await session.dispose();
    for (let channel = 0; channel < 3; channel++) {
      const values = inputs.x.data.filter((_, i) => Math.floor(i / 4) % 3 === channel);
      const mean = values.reduce((sum, value) => sum + value) / 16;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 16;
      expect(results[found!.mean.name]!.data[channel]).toBeCloseTo(mean, 5);
      expect(results[found!.variance.name]!.data[channel]).toBeCloseTo(variance, 5);
    }
  });

  it('must be asked for: in training mode the operator itself has no gradient', async () => {
    await expect(checkGradients(each)).rejects.toThrow(/liveBatchNorm/);
  });
});

function catchError(run: () => unknown): QdqError {
  try {
    run();
  } catch (error) {
    if (error instanceof QdqError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
