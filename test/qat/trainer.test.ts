/** The loop itself, with workers that answer what the test wants: losses and gradients that end a training. */
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/data/sample.ts';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { initialState } from '../../src/qat/update.ts';
import { optimizerOf } from '../../src/qat/optimizers.ts';
import type { Parameter } from '../../src/qat/parameters.ts';
import { train, type Point } from '../../src/qat/trainer.ts';
import { viewOf } from '../../src/qat/view.ts';
import { buildModel, node } from '../support/build.ts';

const parameters: Parameter[] = [{ name: 'w', kind: 'weight', dims: [2], offset: 0, length: 2 }];
const model = buildModel({ inputs: { x: ['N', 2] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] });
const sample: Sample = { id: 'a', inputs: { x: { type: 'float32', dims: [1, 2], data: new Float32Array(2) } } };

async function* forever(): AsyncGenerator<readonly Sample[]> {
  for (;;) yield [sample];
}

/** @param answer loss and gradient of each step, from 1 */
async function trained(answer: (step: number) => { loss: number; gradient: number }): Promise<{
  error: QdqError | undefined;
  points: Point[];
  saved: { step: number; parameters: number[] }[];
}> {
  const optimizer = optimizerOf('sgd');
  const state = initialState(Float32Array.of(1, 2), optimizer);
  const points: Point[] = [];
  const saved: { step: number; parameters: number[] }[] = [];
  const workers = {
    count: 1,
    step: (_: number, __: Float32Array, ___: unknown, gradients: Float32Array) => {
      const { loss, gradient } = answer(state.step + 1);
      gradients.fill(gradient);
      return Promise.resolve({ loss, terms: [loss] });
    },
  };
  const progress = { best: undefined, sinceBest: 0, firstLoss: undefined };
  const view = viewOf(model, parameters, []);
  const runs = { samples: 1, copies: 1, fixed: false, axes: new Map([['x', 0]]) };
  const options = {
    ...{ optimizer, lr: 0.1, momentum: 0, nesterov: false, weightDecay: 0, scales: 'lsq' as const, scaleLr: 1 },
    ...{ clipNorm: undefined, clipValue: undefined, patience: undefined, evaluateEvery: 0, checkpointEvery: 1 },
    ...{ schedule: { name: 'constant' as const, steps: 5, warmup: 0 } },
    ...{ freezeScales: Infinity, freezeNorms: undefined },
  };
  const error = await train(state, progress, parameters, view, forever(), runs, undefined, workers, options, {
    onStep: (point) => points.push(point),
    checkpoint: (now) => saved.push({ step: now.step, parameters: [...now.parameters] }),
  }).then(
    () => undefined,
    (thrown: unknown) => thrown as QdqError,
  );
  return { error, points, saved };
}

describe('the training loop', () => {
  it.each([
    ['QAT_NAN', { loss: NaN, gradient: 1 }, 'the loss of step 3 is NaN'],
    ['QAT_NAN', { loss: Infinity, gradient: 1 }, 'the loss of step 3 is Infinity'],
    ['QAT_DIVERGED', { loss: 1e4, gradient: 1 }, 'the loss of step 3 is 1.00e+4, after 1.00 at first'],
    ['QAT_EXPLODING', { loss: 1, gradient: NaN }, "the gradient of 'w' is not finite in step 3"],
    ['QAT_EXPLODING', { loss: 1, gradient: Infinity }, "the gradient of 'w' is not finite in step 3"],
  ])('ends with %s, and what was saved is good: %o', async (code, bad, message) => {
    const { error, points, saved } = await trained((step) => (step < 3 ? { loss: 1, gradient: 1 } : bad));
    expect(error).toBeInstanceOf(QdqError);
    expect(error).toMatchObject({ code, hint: expect.stringMatching(/--lr.*--warmup.*--clip-norm/) as string });
    expect(error!.message).toContain(message);
    expect(points.map(({ step }) => step)).toEqual([1, 2]);
    expect(saved.map(({ step }) => step)).toEqual([1, 2]);
    expect(saved[1]!.parameters.map((value) => Number(value.toFixed(5)))).toEqual([0.8, 1.8]);
  });

  it('goes to its end otherwise', async () => {
    const { error, points } = await trained((step) => ({ loss: 1 / step, gradient: 0.5 }));
    expect(error).toBeUndefined();
    expect(points.map(({ loss, lr }) => [loss, lr])).toEqual([1, 2, 3, 4, 5].map((step) => [1 / step, 0.1]));
  });
});
