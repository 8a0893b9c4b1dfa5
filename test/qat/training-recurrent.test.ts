/** Training graphs of models with Resize and recurrent layers: what is learned, and that every gradient is there. */
import { expect, it } from 'vitest';
import { createExecutor, openSession } from '../../src/backends/session.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { buildTrainingGraph, parameterFeeds } from '../../src/qat/training-graph.ts';
import { gatherParameters } from '../../src/qat/parameters.ts';
import { buildModel, f32, i64, node } from '../support/build.ts';
import { uniform } from '../ops/gradients/case.ts';
import { feedsOf } from '../ops/gradients/check.ts';

it('trains through Resize, LSTM and LayerNormalization', async () => {
  const batch = 3;
  const model = buildModel({
    opset: 18,
    inputs: { x: [batch, 1, 4, 3] },
    outputs: { y: [batch, 2] },
    nodes: [
      node('Conv', ['x', 'k'], ['c']),
      node('Resize', ['c', '', 'scales'], ['r'], { mode: 'linear' }),
      node('Reshape', ['r', 'rows'], ['s']),
      node('Transpose', ['s'], ['t'], { perm: [1, 0, 2] }),
      node('LSTM', ['t', 'w', 'rec', 'b'], ['', 'h'], { hidden_size: 4 }),
      node('Reshape', ['h', 'flat'], ['f']),
      node('LayerNormalization', ['f', 'gain', 'shift'], ['n']),
      node('Gemm', ['n', 'm'], ['y']),
    ],
    initializers: {
      ...{
        k: f32([1, 1, 1, 1], [0.8]),
        scales: f32([4], [1, 1, 2, 1]),
        rows: i64([batch, 8, 3]),
        flat: i64([batch, 4]),
      },
      ...{ w: f32([1, 16, 3]), rec: f32([1, 16, 4]), b: f32([1, 32]), gain: f32([4]), shift: f32([4]), m: f32([4, 2]) },
    },
  });
  const feeds = feedsOf({ x: uniform([batch, 1, 4, 3]) });
  const terms = [{ loss: 'kl', weight: 1, temperature: 1 }];
  const training = await buildTrainingGraph(model, terms, feeds, batch, traceShapes, createExecutor());
  expect(training.parameters.map(({ name }) => name).sort()).toEqual(['b', 'gain', 'k', 'm', 'rec', 'shift', 'w']);
  const session = await openSession(training.model, { level: 'basic' });
  const flat = gatherParameters(model, training.parameters);
  const teacher = feedsOf({ [training.teacher.get('y')!]: uniform([batch, 2]) });
  const results = await session.run({ ...feeds, ...teacher, ...parameterFeeds(training.parameters, flat) });
  await session.dispose();
  training.gradients.forEach((name, i) => {
    expect(results[name!]!.dims).toEqual(training.parameters[i]!.dims);
    expect((results[name!]!.data as Float32Array).some((value) => Math.abs(value) > 1e-6)).toBe(true);
  });
});
