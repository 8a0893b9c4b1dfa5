import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { body, buildModel, f32, node, type GraphSpec, type ModelSpec, float, i64 } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';
import fc from 'fast-check';

const conv = (attributes: Parameters<typeof node>[3]): ModelSpec => ({
  inputs: { x: ['batch', 2, 4, 4] },
  outputs: { y: ['batch', 3, 4, 4] },
  initializers: { w: f32([3, 2, 1, 1]) },
  nodes: [node('Conv', ['x', 'w', ''], ['y'], attributes)],
});

describe('canonical', () => {
  it('drops attributes that say their default, and omitted inputs at the end', async () => {
    const spec = conv({
      auto_pad: 'NOTSET',
      group: 1,
      dilations: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      kernel_shape: [1, 1],
    });
    const { model } = await fuseChecked(spec, feed({ x: [2, 2, 4, 4] }));
    const [only] = [...model.graph.nodes()];
    expect([...only!.attributes.keys()]).toEqual(['kernel_shape']);
    expect(only!.inputs).toHaveLength(2);
  });

  it('keeps what is not the default', async () => {
    const { model } = await fuseChecked(
      { ...conv({ auto_pad: 'SAME_UPPER', strides: [2, 2] }), outputs: ['y'] },
      feed({ x: [2, 2, 4, 4] }),
    );
    expect([...[...model.graph.nodes()][0]!.attributes.keys()]).toEqual(['auto_pad', 'strides']);
  });

  it('drops a Gemm alpha of 1 and keeps one of 2 where no constant can take it', async () => {
    const spec: ModelSpec = {
      inputs: { x: [2, 3], w: [3, 4] },
      outputs: { y: [2, 4] },
      nodes: [node('Gemm', ['x', 'w'], ['y'], { alpha: float(2), beta: float(1), transA: 0 })],
    };
    const { model } = await fuseChecked(spec, feed({ x: [2, 3], w: [3, 4] }));
    expect([...[...model.graph.nodes()][0]!.attributes.keys()]).toEqual(['alpha']);
  });
});

describe('canonical Reshape', () => {
  const reshape = (shape: number[], dims: (number | string)[], attributes = {}): ModelSpec => ({
    inputs: { x: dims },
    outputs: ['y'],
    initializers: { shape: i64(shape) },
    nodes: [node('Reshape', ['x', 'shape'], ['y'], attributes)],
  });
  const shapeOf = async (spec: ModelSpec, dims: number[]): Promise<number[]> => {
    const { model } = await fuseChecked(spec, feed({ x: dims }));
    return [...model.graph.nodes()][0]!.constant(1)!.ints();
  };

  it('copies a symbolic leading axis and leaves the last one open', async () => {
    expect(await shapeOf(reshape([-1, 6], ['batch', 2, 3], { allowzero: 1 }), [4, 2, 3])).toEqual([0, -1]);
    expect(await shapeOf(reshape([0, 6], ['batch', 2, 3]), [4, 2, 3])).toEqual([0, -1]);
  });

  it('leaves alone what does not keep its axes, or whose sizes are not known', async () => {
    expect(await shapeOf(reshape([-1, 3], ['batch', 2, 3]), [4, 2, 3])).toEqual([-1, 3]);
    expect(await shapeOf(reshape([-1, 6], ['batch', 'height', 3]), [4, 2, 3])).toEqual([-1, 6]);
    expect(await shapeOf(reshape([-1, 6], [4, 2, 3]), [4, 2, 3])).toEqual([-1, 6]);
    expect(await shapeOf(reshape([-1, 2, 3], ['batch', 6]), [4, 6])).toEqual([-1, 2, 3]);
  });
});

describe('canonical on random nodes', () => {
  const pick = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

  const plain = { auto_pad: 'NOTSET', group: 1, dilations: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] };

  it('changes no result of a convolution, whatever its attributes say', async () => {
    const attributes = fc.record(
      {
        auto_pad: pick('NOTSET'),
        group: pick(1, 2),
        dilations: pick([1, 1], [2, 1]),
        strides: pick([1, 1], [2, 1]),
        pads: pick([0, 0, 0, 0], [1, 0, 1, 0]),
      },
      { requiredKeys: ['group'] },
    );
    await fc.assert(
      fc.asyncProperty(attributes, fc.boolean(), async (given, bias) => {
        const spec: ModelSpec = {
          inputs: { x: ['batch', 2, 6, 6] },
          outputs: ['y'],
          initializers: { w: f32([4, 2 / given.group, 2, 2]), ...(bias ? { b: f32([4]) } : {}) },
          nodes: [node('Conv', ['x', 'w', bias ? 'b' : ''], ['y'], given)],
        };
        const { model } = await fuseChecked(spec, feed({ x: [2, 2, 6, 6] }));
        const left = [...model.graph.nodes()][0]!.attributes;
        for (const [name, value] of Object.entries(given)) {
          expect(left.has(name), name).toBe(
            JSON.stringify(value) !== JSON.stringify(plain[name as keyof typeof plain]),
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('changes no result of a Reshape, whichever way its shape is written', async () => {
    const targets = pick(
      [-1, 12],
      [0, 12],
      [0, -1],
      [-1, 2, 6],
      [0, 2, -1],
      [0, 0, -1],
      [2, -1],
      [-1],
      [0, 3, 4],
      [-1, 4, 3],
    );
    await fc.assert(
      fc.asyncProperty(targets, pick<number | string>('batch', 4), fc.boolean(), async (shape, batch, allowzero) => {
        const spec: ModelSpec = {
          inputs: { x: [batch, 2, 6] },
          outputs: ['y'],
          initializers: { shape: i64(shape) },
          nodes: [node('Reshape', ['x', 'shape'], ['y'], allowzero && !shape.includes(0) ? { allowzero: 1 } : {})],
        };
        await fuseChecked(spec, feed({ x: [4, 2, 6] }));
      }),
      { numRuns: 60 },
    );
  });
});

/** Each branch has its own `w` and `t`. */
function branch(scale: number, op: string): GraphSpec {
  return {
    initializers: { w: f32([3], [scale, scale, scale]) },
    nodes: [node('Mul', ['x', 'w'], ['t']), node(op, ['t'], ['z'])],
    outputs: ['z'],
  };
}

const twins: ModelSpec = {
  inputs: { x: [3] },
  initializers: { zero: f32([], [0]) },
  nodes: [
    node('ReduceSum', ['x'], ['total'], { keepdims: 0 }),
    node('Greater', ['total', 'zero'], ['which']),
    node('If', ['which'], ['y'], { then_branch: body(branch(2, 'Tanh')), else_branch: body(branch(3, 'Sin')) }),
  ],
  outputs: ['y'],
};

describe('unique-names', () => {
  it('renames what a second body calls the same', async () => {
    for (const sign of [1, -1]) {
      const feeds = { x: { ...feed({ x: [3] })['x']!, data: Float32Array.of(sign, 0.5, 0.25) } };
      const { model, log } = await fuseChecked(twins, feeds);
      const names = [...model.graph.graphs()].flatMap(({ values }) => [...values.keys()]);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toEqual(expect.arrayContaining(['w', 't', 'z', 'w_1', 't_1', 'z_1']));
      expect(log.applied.filter(({ pass }) => pass === 'unique-names').map(({ nodes }) => nodes[0])).toEqual([
        'w_1',
        'n_t',
        'n_z',
      ]);
    }
  });

  it('numbers nodes of one name, and leaves unnamed ones', async () => {
    const named = (name: string, from: string, to: string) => ({ ...node('Tanh', [from], [to]), name });
    const model = buildModel({
      inputs: { x: [3] },
      nodes: [
        named('a', 'x', 'b'),
        named('a', 'b', 'c'),
        named('', 'c', 'd'),
        named('a_1', 'd', 'e'),
        named('a', 'e', 'y'),
      ],
      outputs: ['y'],
    });
    await fuse(model, { executor: createExecutor() });
    expect([...model.graph.nodes()].map(({ name }) => name)).toEqual(['a', 'a_2', '', 'a_1', 'a_3']);
  });
});
