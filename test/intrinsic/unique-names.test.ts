import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { body, buildModel, f32, node, type GraphSpec, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';

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
