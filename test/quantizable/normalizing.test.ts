import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { planQuantization, type PlanRequest } from '../../src/quantizable/planner.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';

/** Normalized over the channels of an image, as ConvNeXt and SAM write it, between two convolutions. */
function floatOps(more: Partial<PlanRequest> = {}): Record<string, string> {
  const over = { axes: [1], keepdims: 1 };
  const model = buildModel({
    inputs: { x: [1, 4, 6, 6] },
    initializers: { w: f32([4, 4, 1, 1]), two: scalar('float32', 2), tiny: scalar('float32', 1e-6) },
    nodes: [
      node('Conv', ['x', 'w'], ['a'], {}, { name: 'first' }),
      node('Conv', ['a', 'w'], ['b'], {}, { name: 'before' }),
      node('ReduceMean', ['b'], ['m'], over),
      node('Sub', ['b', 'm'], ['d'], {}, { name: 'centre' }),
      node('Pow', ['d', 'two'], ['s']),
      node('ReduceMean', ['s'], ['v'], over),
      node('Add', ['v', 'tiny'], ['e']),
      node('Sqrt', ['e'], ['r']),
      node('Div', ['d', 'r'], ['q'], {}, { name: 'quotient' }),
      node('Conv', ['q', 'w'], ['y'], {}, { name: 'last' }),
    ],
    outputs: ['y'],
  });
  const { float } = planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme, ...more });
  return Object.fromEntries(float.map(({ node: name, reason }) => [name, reason]));
}

describe('a normalization that is written out', () => {
  it('stays float as a whole between convolutions in int8', () => {
    const reason =
      "it is a part of the normalization that ends in 'quotient', and a mean and a variance need more than 8 bits";
    expect(floatOps()).toMatchObject({ centre: reason, quotient: reason });
    expect(Object.keys(floatOps())).not.toContain('last');
  });

  it('runs in int8 where the user names it', () => {
    expect(Object.keys(floatOps({ include: ['Conv', 'centre', 'quotient'] }))).not.toContain('centre');
  });
});
