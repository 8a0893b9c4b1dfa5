/**
 * Optimizers and losses against torch.optim and torch.nn.functional (golden/optimizers.py); learning rates over time and the order of
 * samples, both pure functions of the step.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { Emitter } from '../../src/graph/emitter.ts';
import { batchesPerEpoch, epochOrder, targetsOf } from '../../src/qat/batches.ts';
import { differentiate } from '../../src/qat/differentiate.ts';
import { losses, lossOf, parseLoss } from '../../src/qat/losses.ts';
import { optimizerOf, optimizers, rateFactor } from '../../src/qat/optimizers.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { settings as flags } from '../../src/settings/settings.ts';
import { buildModel, node } from '../support/build.ts';

interface Golden {
  readonly start: number[];
  readonly gradients: number[][];
  readonly optimizers: Record<string, number[][]>;
  readonly losses: Record<string, { loss: number; gradient: number[] }>;
  readonly logits: number[];
  readonly teacher: number[];
  readonly labels: number[];
}
const golden = JSON.parse(readFileSync(resolve(import.meta.dirname, 'golden/optimizers.json'), 'utf8')) as Golden;

describe('an optimizer', () => {
  it.each([
    ['sgd', 'sgd', 0.1, 0, { momentum: 0.9, nesterov: false }],
    ['sgd nesterov with decay', 'sgd', 0.1, 0.01, { momentum: 0.8, nesterov: true }],
    ['adam with decay', 'adam', 0.05, 0.01, { momentum: 0, nesterov: false }],
    ['adamw', 'adamw', 0.05, 0.1, { momentum: 0, nesterov: false }],
  ])('%s moves parameters as PyTorch does', (name, id, lr, decay, options) => {
    const optimizer = optimizerOf(id);
    const parameters = Float32Array.from(golden.start);
    const state = Object.fromEntries(optimizer.slots.map((slot) => [slot, new Float32Array(parameters.length)]));
    golden.gradients.forEach((gradient, i) => {
      const segment = { from: 0, to: parameters.length, lr, decay };
      optimizer.step(segment, parameters, Float32Array.from(gradient), state, i + 1, options);
      // State and parameters are float32; four steps lose a few units in the last place.
      golden.optimizers[name]![i]!.forEach((value, k) => expect(parameters[k]).toBeCloseTo(value, 6));
    });
  });

  it('leaves what is outside of its segment alone', () => {
    for (const optimizer of optimizers) {
      const parameters = Float32Array.of(1, 2, 3);
      const state = Object.fromEntries(optimizer.slots.map((slot) => [slot, new Float32Array(3)]));
      const segment = { from: 1, to: 2, lr: 0.1, decay: 0 };
      optimizer.step(segment, parameters, Float32Array.of(1, 1, 1), state, 1, { momentum: 0.9, nesterov: false });
      expect([parameters[0], parameters[2]]).toEqual([1, 3]);
      expect(parameters[1]).toBeLessThan(2);
    }
  });

  it('is named by an option of the command line, and every one is', () => {
    expect(flags.optimizer.choices).toEqual(optimizers.map(({ id }) => id));
    expect(() => optimizerOf('adamm')).toThrow(/unknown optimizer 'adamm'/);
  });
});

/** Value and gradient with respect to the model's output, by onnxruntime. */
async function lossAndGradient(id: string, wanted: Float32Array, temperature = 1): Promise<[number, number[]]> {
  const model = buildModel({
    opset: 17,
    inputs: { z: [2, 3], t: [2, 3] },
    nodes: [node('Identity', ['z'], ['y'])],
    outputs: { y: [2, 3] },
  });
  const { graph } = model;
  const [z, t, output] = ['z', 't', 'y'].map((name) => graph.values.get(name)!) as [never, never, never];
  const loss = lossOf(id).build(
    new Emitter(graph, 'loss'),
    { output, dims: [2, 3], wanted: t },
    { batch: 2, temperature },
  );
  const feeds = {
    z: { type: 'float32' as const, dims: [2, 3], data: Float32Array.from(golden.logits) },
    t: { type: 'float32' as const, dims: [2, 3], data: wanted },
  };
  await traceShapes(model, feeds);
  const gradient = differentiate(graph, loss, [z]).get(z)!;
  graph.addOutput(loss);
  graph.addOutput(gradient);
  const session = await openSession(model);
  const results = await session.run(feeds);
  await session.dispose();
  return [(results[loss.name]!.data as Float32Array)[0]!, [...(results[gradient.name]!.data as Float32Array)]];
}

describe('a loss', () => {
  const sample = (label: number): { id: string; inputs: object; label: number } => ({ id: 's', inputs: {}, label });
  const targets = (smoothing: number): Float32Array =>
    targetsOf(golden.labels.map(sample) as never, { classes: 3, smoothing }).data as Float32Array;
  const teacher = Float32Array.from(golden.teacher);
  it.each([
    ['ce', 'ce', targets(0), 1],
    ['ce smoothed', 'ce', targets(0.1), 1],
    ['kl', 'kl', teacher, 1],
    ['kl at 3', 'kl', teacher, 3],
    ['mse', 'mse', teacher, 1],
  ])('%s has the value and the gradient that PyTorch gives', async (name, id, wanted, temperature) => {
    const [value, gradient] = await lossAndGradient(id, wanted, temperature);
    const expected = golden.losses[name]!;
    expect(value).toBeCloseTo(expected.loss, 5);
    expected.gradient.forEach((each, i) => expect(gradient[i]).toBeCloseTo(each, 5));
  });

  it('is read from words, alone or in a mix', () => {
    expect(parseLoss('kl', 2)).toEqual([{ loss: 'kl', weight: 1, temperature: 2 }]);
    expect(parseLoss('kl=1, ce=.5', 1).map(({ loss, weight }) => [loss, weight])).toEqual([
      ['kl', 1],
      ['ce', 0.5],
    ]);
    expect(() => parseLoss('lk', 1)).toThrow(/unknown loss 'lk'/);
    for (const wrong of ['', 'kl=', 'kl=0', 'kl=1,kl=2', 'ce;kl', 'ce=-1'])
      expect(() => parseLoss(wrong, 1)).toThrow(/is not a loss or a mix|unknown loss/);
    expect(losses.map(({ id }) => id)).toEqual(['ce', 'kl', 'mse', 'features']);
  });

  it('refuses labels that are no classes, by the name of the sample', () => {
    const request = { classes: 3, smoothing: 0 };
    for (const label of [3, -1])
      expect(() => targetsOf([sample(label)] as never, request)).toThrow(/sample 's' has label/);
    expect(() => targetsOf([{ id: 'x', inputs: {} }], request)).toThrow(/'x' has no label/);
  });
});

describe('the learning rate', () => {
  it('falls along a cosine from 1 to 0', () => {
    const at = (step: number): number => rateFactor({ name: 'cosine', steps: 100, warmup: 0 }, step);
    expect([at(0), at(50), at(100)].map((x) => Number(x.toFixed(12)))).toEqual([1, 0.5, 0]);
    // torch.optim.lr_scheduler.CosineAnnealingLR(T_max=100) after 30 steps.
    expect(at(30)).toBeCloseTo(0.7938926261462366, 12);
  });

  it('drops by ten after a half and three quarters, or not at all', () => {
    const at = (step: number): number => rateFactor({ name: 'step', steps: 100, warmup: 0 }, step);
    expect([0, 49, 50, 74, 75, 99].map(at).map((x) => Number(x.toFixed(6)))).toEqual([1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(rateFactor({ name: 'constant', steps: 100, warmup: 0 }, 99)).toBe(1);
  });

  it('rises first, and begins its course after that', () => {
    const at = (step: number): number => rateFactor({ name: 'cosine', steps: 14, warmup: 4 }, step);
    expect([0, 1, 2, 3].map(at)).toEqual([0.2, 0.4, 0.6, 0.8]);
    expect([at(4), at(9)].map((x) => Number(x.toFixed(12)))).toEqual([1, 0.5]);
  });
});

describe('the order of samples', () => {
  it('is a permutation, the same for a seed and epoch and another for others', () => {
    const order = [...epochOrder(50, 3, 1)];
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...epochOrder(50, 3, 1)]).toEqual(order);
    for (const other of [epochOrder(50, 3, 2), epochOrder(50, 4, 1)]) expect([...other]).not.toEqual(order);
    expect([batchesPerEpoch(50, 16), batchesPerEpoch(15, 16)]).toEqual([3, 0]);
  });
});
