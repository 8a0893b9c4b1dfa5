/** Infinity in constants: where it goes, what it keeps float, and that every format keeps it. */
import { describe, expect, it } from 'vitest';
import { infiniteValues } from '../../src/ops/infinite.ts';
import { gaussian, make } from '../quantized/make-quantized.ts';
import { planFor, run } from '../quantized/support.ts';
import { buildModel, f32, i64, node, scalar } from '../support/build.ts';

const suppressing = buildModel({
  inputs: { x: [1, 6, 16] },
  outputs: { y: [1, 6, 4] },
  initializers: { w: f32([16, 16]), v: f32([16, 4]), b: f32([4], [0, -Infinity, 0.5, 0]) },
  nodes: [
    node('MatMul', ['x', 'w'], ['h']),
    node('Relu', ['h'], ['r']),
    node('MatMul', ['r', 'v'], ['z']),
    node('Add', ['z', 'b'], ['y']),
  ],
});

describe('infinity on purpose', () => {
  it.each(['constructor', 'toString', '__proto__'])('goes nowhere through an operator called %s', (name) => {
    const model = buildModel({
      inputs: { x: [1] },
      outputs: ['y'],
      initializers: { low: scalar('float32', -Infinity) },
      nodes: [node('Add', ['x', 'low'], ['a']), node(name, ['a'], ['y'])],
    });
    expect([...infiniteValues(model).keys()].map((value) => value.name).sort()).toEqual(['a', 'low']);
  });

  it('is followed through what hands it on, with its sign', () => {
    const model = buildModel({
      inputs: { x: [2, 2], c: { type: 'bool', dims: [2, 2] } },
      outputs: ['a', 'n', 'm', 'k', 'e', 's', 'l', 'f'],
      initializers: { low: scalar('float32', -Infinity), zero: scalar('float32', 0), shape: i64([2, 2]) },
      nodes: [
        node('Where', ['c', 'x', 'low'], ['a']),
        node('Neg', ['a'], ['n']),
        node('Max', ['a', 'x'], ['m']),
        node('Min', ['a', 'x'], ['k']),
        node('Expand', ['low', 'shape'], ['e']),
        node('Softmax', ['a'], ['s']),
        node('Clip', ['n', 'zero'], ['l']),
        node('Clip', ['a', 'zero'], ['f']),
      ],
    });
    const found = new Map(
      [...infiniteValues(model)].map(([{ name }, { below, above }]) => [
        name,
        `${below ? '-' : ''}${above ? '+' : ''}`,
      ]),
    );
    expect(Object.fromEntries(found)).toEqual({ low: '-', a: '-', n: '+', k: '-', e: '-', l: '+' });
  });

  it('keeps float what would write it, and says which constant it comes from', () => {
    const { float, regions } = planFor(suppressing, {}, undefined, undefined);
    expect(float).toMatchObject([
      { node: 'n_y', op: 'Add', reason: "its constant 'b' holds infinity, for which there is no code" },
    ]);
    expect(regions.map((region) => region.op)).toEqual(['MatMul', 'MatMul']);
  });

  it('keeps a Gemm float whose bias holds it', () => {
    const model = buildModel({
      inputs: { x: [1, 4] },
      outputs: { y: [1, 3] },
      initializers: { w: f32([4, 4]), v: f32([4, 3]), b: f32([3], [0, -Infinity, 1]) },
      nodes: [node('Gemm', ['x', 'w'], ['h']), node('Gemm', ['h', 'v', 'b'], ['y'])],
    });
    expect(planFor(model).float.map(({ node: name, reason }) => `${name}: ${reason}`)).toEqual([
      "n_y: its constant 'b' holds infinity, for which there is no code",
    ]);
  });

  it.each(['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16'])(
    '%s: comes out in the same places',
    async (format) => {
      const x = { type: 'float32', dims: [1, 6, 16], data: gaussian(96, 4) } as const;
      const { model } = await make(format, suppressing, { feeds: { x } });
      const [float, other] = await Promise.all(
        [suppressing, model].map(async (each) => (await run(each, { x })).outputs['y']!.data as Float32Array),
      );
      expect([...other!].map((value) => value === -Infinity)).toEqual([...float!].map((value) => value === -Infinity));
      expect(other!.some(Number.isNaN)).toBe(false);
    },
  );
});
