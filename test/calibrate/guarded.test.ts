/** NaN that the model removes itself, and NaN that it does not. */
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { make } from '../quantized/forms.ts';
import { run, sqnr } from '../quantized/support.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';
import { datasetOf, floats, sha } from './samples.ts';

/** Rows in which nothing is allowed give NaN in Softmax; `end` makes 'y' of 'z'. */
function padded(...end: NodeProto[]): Model {
  return buildModel({
    inputs: { x: [1, 4, 8], m: { type: 'bool', dims: [1, 4, 1] } },
    outputs: { y: [1, 4, 8] },
    initializers: { w: f32([8, 8]), v: f32([8, 8]), low: scalar('float32', -Infinity), zero: scalar('float32', 0) },
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Where', ['m', 'h', 'low'], ['hm']),
      node('Softmax', ['hm'], ['p'], { axis: -1 }),
      node('MatMul', ['p', 'v'], ['z']),
      ...end,
    ],
  });
}
const guarded = padded(node('Where', ['m', 'z', 'zero'], ['y']));
const feeds = (i: number): Record<string, TensorValue> => ({
  x: floats([1, 4, 8], (j) => Math.sin(j * 3.7 + i)),
  m: { type: 'bool', dims: [1, 4, 1], data: Uint8Array.of(1, 1, 0, 0) },
});
const samples = [0, 1, 2].map((i) => ({ id: `s${i}`, inputs: feeds(i) }));
const observe = (model: Model, tensors: string[], observer = 'minmax') =>
  calibrate(model, tensors, datasetOf(samples), [0, 1, 2], { modelSha256: sha, observer });

describe('NaN before a guard', () => {
  it.each(['minmax', 'mse', 'percentile'])('does not count: %s', async (observer) => {
    const { min, max } = rangesOf(await observe(guarded, ['x', 'p', 'z'], observer)).get('p')!;
    expect(min).toBe(0);
    expect(max).toBeGreaterThan(0.1);
    expect(max).toBeLessThan(1);
  });

  it('is an error without the guard, and where it passes one', async () => {
    await expect(observe(padded(node('Relu', ['z'], ['y'])), ['x', 'p'])).rejects.toMatchObject({
      code: 'CALIBRATE_NAN',
    });
    const other = padded(node('Where', ['m', 'zero', 'z'], ['y']));
    await expect(observe(other, ['x', 'p'])).rejects.toMatchObject({ code: 'CALIBRATE_NAN' });
  });

  it.each(['IsNaN', 'IsInf'])('%s of it is none that goes on', async (test) => {
    const model = padded(node(test, ['z'], ['t']), node('Where', ['t', 'zero', 'z'], ['y']));
    const result = observe(model, ['x', 'p']);
    await (test === 'IsNaN' ? result : expect(result).rejects.toMatchObject({ code: 'CALIBRATE_NAN' }));
  });

  it('dynamic: takes no scale away from the rows that are kept', async () => {
    const { model } = await make('dynamic', guarded);
    const [float, int8] = await Promise.all(
      [guarded, model].map(async (each) => (await run(each, feeds(0))).outputs['y']!),
    );
    expect(sqnr(float!, int8!)).toBeGreaterThan(30);
  });
});
