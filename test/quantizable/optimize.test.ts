/** --optimize: which ends stay float for accuracy, and which weights of float nodes are stored in 8 bits for size. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import type { Goal } from '../../src/quantizable/optimize.ts';
import type { Model } from '../../src/graph/model.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { rangesFor, run, sqnr, type Feeds } from '../quantized/support.ts';

function chain(): Model {
  return buildModel({
    inputs: { x: [1, 8, 8, 8] },
    outputs: { y: [1, 4] },
    initializers: {
      w1: f32([16, 8, 3, 3]),
      w2: f32([16, 16, 3, 3]),
      up: f32([16, 16, 2, 2]),
      w3: f32([16, 16, 1, 1]),
      fc: f32([4, 16]),
    },
    nodes: [
      node('Conv', ['x', 'w1'], ['a'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'w2'], ['c'], { pads: [1, 1, 1, 1] }),
      node('ConvTranspose', ['c', 'up'], ['d'], { strides: [2, 2] }),
      node('Conv', ['d', 'w3'], ['e']),
      node('GlobalAveragePool', ['e'], ['f']),
      node('Flatten', ['f'], ['g']),
      node('Gemm', ['g', 'fc'], ['y'], { transB: 1 }),
    ],
  });
}

const feeds: Feeds = {
  x: { type: 'float32', dims: [1, 8, 8, 8], data: Float32Array.from({ length: 512 }, (_, i) => Math.sin(i * 1.7)) },
};

const planWith = (model: Model, optimize: Goal | undefined, include: string[] = [], exclude: string[] = []) =>
  planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme, optimize, include, exclude });

describe('--optimize', () => {
  it('accuracy: the first and the last operator with weights stay float, and say why', () => {
    const plan = planWith(chain(), 'accuracy');
    expect(plan.regions.map((region) => region.node)).not.toContain('n_a');
    const reasons = new Map(plan.float.map((each) => [each.node, each.reason]));
    expect(reasons.get('n_a')).toMatch(/first operator with weights.*--optimize accuracy/);
    expect(reasons.get('n_y')).toMatch(/last operator with weights/);
    expect(plan.regions.map((region) => region.node)).toContain('n_c');
    const named = planWith(chain(), 'accuracy', ['Conv', 'Gemm']);
    expect(named.regions.map((region) => region.node)).toContain('n_a');
  });

  it('size: a ConvTranspose, which runs in float, keeps its weights as codes; an excluded node keeps its own', async () => {
    const model = chain();
    const plan = planWith(model, 'size');
    expect(plan.stored).toEqual([{ tensor: 'd', input: 1, weight: { name: 'up', axis: 1 } }]);
    const { model: small } = emitQdq(model, plan, await rangesFor(model, plan, feeds));
    const floats = [...small.graph.values.values()].filter(({ initializer }) => initializer?.type.name === 'float32');
    expect(floats.every(({ initializer }) => initializer!.size <= 16)).toBe(true);
    const { outputs, types } = await run(small, feeds, { exactInt8: true });
    expect(types).toContain('ConvTranspose');
    expect(sqnr((await run(model, feeds)).outputs['y']!, outputs['y']!)).toBeGreaterThan(20);
    expect(planWith(model, 'size', [], ['ConvTranspose']).stored).toBeUndefined();
    expect(planWith(model, 'latency').stored).toBeUndefined();
  });
});
