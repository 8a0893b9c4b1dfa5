import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { activationOf, identity } from '../../src/improve/layers.ts';
import { applied } from './applied.ts';
import { buildModel, float, node, scalar, type ModelSpec } from '../support/build.ts';

const spec = (nodes: ModelSpec['nodes'], initializers: ModelSpec['initializers'] = {}): ModelSpec => ({
  inputs: { x: [241] },
  outputs: { y: [241] },
  initializers,
  nodes,
});

/** -6 to 6 and a bit beyond, in steps of 0.05. */
const points = Float32Array.from({ length: 241 }, (_, i) => (i - 120) * 0.05 + 0.01);

describe('activationOf', () => {
  it.each<[string, ModelSpec]>([
    ['Relu', spec([node('Relu', ['x'], ['y'])])],
    ['Clip', spec([node('Clip', ['x', 'l', 'h'], ['y'])], { l: scalar('float32', 0), h: scalar('float32', 6) })],
    ['LeakyRelu', spec([node('LeakyRelu', ['x'], ['y'], { alpha: float(0.2) })])],
    [
      'nothing that is known',
      spec([node('Sin', ['x'], ['s']), node('Sub', ['x', 's'], ['t']), node('Add', ['t', 's'], ['y'])]),
    ],
  ])('computes what onnxruntime does, where it is known: %s', async (_, model) => {
    const built = buildModel(model);
    const { activation, seen } = activationOf(built.graph.values.get('x')!);
    expect(seen.name).toBe(activation === identity ? 'x' : 'y');
    const session = await openSession(built);
    const { y } = await session.run({ x: { type: 'float32', dims: [241], data: points } });
    await session.dispose();
    // Products in float32, and sums of two.
    for (const [i, x] of points.entries())
      expect(Math.abs(applied(activation, x) - (y!.data as Float32Array)[i]!)).toBeLessThan(2 ** -20);
  });

  it('does not take what others read too', () => {
    const model = buildModel({
      ...spec([node('Relu', ['x'], ['r']), node('Add', ['x', 'r'], ['y'])]),
    });
    expect(activationOf(model.graph.values.get('x')!).seen.name).toBe('x');
  });
});
