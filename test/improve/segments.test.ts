import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { cutOut, stepsOf } from '../../src/improve/segments.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, buildModel, f32, node, scalar } from '../support/build.ts';

/** Two branches, of which the longer one holds two layers in a row, an If that captures, a residual, a default input. */
function branched(): Model {
  return buildModel({
    inputs: { x: [1, 4], more: [1, 4] },
    outputs: { a: [1, 4], b: [1, 4], c: [1, 4], d: [1, 4] },
    initializers: { w: f32([4, 4]), v: f32([4, 4]), yes: scalar('bool', 1) },
    nodes: [
      node('Relu', ['x'], ['r']),
      node('MatMul', ['r', 'w'], ['a']),
      node('MatMul', ['r', 'v'], ['b']),
      node('Tanh', ['a'], ['t']),
      node('If', ['yes'], ['i'], {
        then_branch: body({ nodes: [node('Add', ['t', 'r'], ['sum'])], outputs: { sum: [1, 4] } }),
        else_branch: body({ nodes: [node('Sub', ['t', 'r'], ['difference'])], outputs: { difference: [1, 4] } }),
      }),
      node('MatMul', ['i', 'v'], ['c']),
      node('Add', ['c', 'more'], ['s']),
      node('MatMul', ['s', 'w'], ['d']),
    ],
  });
}

const layersOf = (model: Model) =>
  new Map([...model.graph.nodes()].filter((each) => each.is('MatMul')).map((each) => [each, each.output()!.name]));

describe('stepsOf', () => {
  it('puts layers that do not depend on each other at one cut', () => {
    const model = branched();
    const steps = stepsOf(model.graph, layersOf(model));
    expect(steps.map(({ layers }) => layers)).toEqual([['a', 'b'], ['c'], ['d']]);
    expect(steps.map(({ leaves }) => leaves)).toEqual([['r'], ['i'], ['s']]);
    // Nothing is kept longer than it is needed.
    expect(steps.map(({ spent }) => spent)).toEqual([['x'], ['r'], ['more', 'i']]);
  });

  it('runs step by step to what the whole model gives', async () => {
    const model = branched();
    const feeds = {
      x: { type: 'float32', dims: [1, 4], data: Float32Array.of(0.3, -0.4, 1, 0.2) },
      more: { type: 'float32', dims: [1, 4], data: Float32Array.of(1, 2, -3, 4) },
    } as Record<string, TensorValue>;
    const whole = await openSession(model);
    const expected = await whole.run(feeds);
    const values = new Map(Object.entries(feeds));
    for (const { reads, leaves, spent, layers } of stepsOf(model.graph, layersOf(model))) {
      const part = cutOut(model, reads, [...leaves, ...layers], values);
      checkModel(part.model);
      const session = await openSession(part.model);
      const results = await session.run(
        Object.fromEntries([...part.inputs].map(([input, name]) => [input, values.get(name)!])),
      );
      for (const name of layers) expect(results[name]!.data).toEqual(expected[name]!.data);
      for (const name of spent) values.delete(name);
      for (const name of leaves) values.set(name, results[name]!);
      await session.dispose();
    }
    await whole.dispose();
    checkModel(model);
  });
});
