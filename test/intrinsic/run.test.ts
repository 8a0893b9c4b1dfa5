import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { passes } from '../../src/intrinsic/passes.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, buildModel, constant, f32, node, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked, unit } from './fuse.ts';

const executor = createExecutor();

const parameters = { s: f32([2], [1, 2]), b: f32([2]), m: f32([2]), v: f32([2], [1, 2]) };

describe('passes', () => {
  it('have unique kebab-case names and one-line summaries', () => {
    const names = passes.map((pass) => pass.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, summary } of passes) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(summary).toMatch(/^[^\n]{10,120}[^.\n]$/);
    }
  });
});

describe('fuse', () => {
  it('names the nearest pass when asked to skip one that does not exist', async () => {
    const model = buildModel({ outputs: ['x'], inputs: { x: [1] }, nodes: [] });
    await expect(fuse(model, { executor, skip: ['conv-bnn'] })).rejects.toMatchObject({
      code: 'FUSE_UNKNOWN_PASS',
      kind: 'usage',
      hint: "did you mean 'conv-bn'?",
    });
  });

  it('leaves a model that needs nothing alone', async () => {
    const { log } = await fuseChecked(
      { inputs: { x: [2] }, outputs: ['y'], nodes: [node('Relu', ['x'], ['y'])] },
      feed({ x: [2] }),
    );
    expect(log).toEqual({ applied: [], refused: [] });
  });

  const chain: ModelSpec = {
    opset: 13,
    inputs: { x: [1, 2, 3] },
    outputs: { y: [1, 2, 3] },
    initializers: { w: f32([2, 2, 1]), ...parameters },
    nodes: [
      node('Conv', ['x', 'w'], ['c']),
      node('Identity', ['c'], ['d']),
      node('BatchNormalization', ['d', 's', 'b', 'm', 'v'], ['e']),
      node('Relu', ['e'], ['f']),
      node('Relu', ['f'], ['y']),
    ],
  };

  it('lets passes enable one another and drops refusals that a later round resolved', async () => {
    const { ops, log } = await fuseChecked(chain, feed({ x: [1, 2, 3] }), 100 * unit);
    expect(ops).toEqual(['Conv', 'Relu']);
    expect(log.refused).toEqual([]);
    const skipped = await fuseChecked(chain, feed({ x: [1, 2, 3] }), 0, ['identity', 'relu-clip', 'lone-bn']);
    expect(skipped.ops).toEqual(['Conv', 'Identity', 'BatchNormalization', 'Relu', 'Relu']);
    expect(skipped.log.refused).toEqual([
      { pass: 'conv-bn', node: 'n_e', reason: "its input comes from Identity 'n_d'" },
    ]);
  });

  it('resolves what only dead code stood in the way of', async () => {
    const spec = { ...chain, nodes: [...chain.nodes, node('Neg', ['c'], ['unread'])] };
    const { ops, log } = await fuseChecked(spec, feed({ x: [1, 2, 3] }), 100 * unit);
    expect(ops).toEqual(['Conv', 'Relu']);
    expect(log.refused).toEqual([]);
  });

  it('sorts nodes that stand out of order', async () => {
    const model = buildModel({ ...chain, nodes: [...chain.nodes].reverse() });
    await fuse(model, { executor, afterPass: (_, each) => checkModel(each) });
    expect([...model.graph.nodes()].map((each) => each.opType)).toEqual(['Conv', 'Relu']);
  });

  it('fuses in the bodies of If and Loop', async () => {
    const inner = (input: string, output: string) => [
      node('Conv', [input, 'w'], [`${output}c`]),
      node('BatchNormalization', [`${output}c`, 's', 'b', 'm', 'v'], [output]),
    ];
    const loop = body({
      inputs: { i: { type: 'int64', dims: [] }, go: { type: 'bool', dims: [] }, state: [1, 2, 3] },
      outputs: { still: { type: 'bool', dims: [] }, next: [1, 2, 3] },
      nodes: [node('Identity', ['go'], ['still']), ...inner('state', 'next')],
    });
    const spec: ModelSpec = {
      inputs: { x: [1, 2, 3], c: { type: 'bool', dims: [] } },
      outputs: ['y', 'z'],
      initializers: { w: f32([2, 2, 1]), ...parameters, trips: constant('int64', [], [2]) },
      nodes: [
        node('If', ['c'], ['y'], {
          then_branch: body({ outputs: ['t'], nodes: inner('x', 't') }),
          else_branch: body({ outputs: ['e'], nodes: inner('x', 'e') }),
        }),
        node('Loop', ['trips', 'c', 'x'], ['z'], { body: loop }),
      ],
    };
    const c = constant('bool', [], [1]) as TensorValue;
    // Two turns of the loop multiply magnitudes by at most 4 each.
    const { model } = await fuseChecked(spec, { ...feed({ x: [1, 2, 3] }), c }, 1000 * unit);
    const ops = [...model.allNodes()].map((each) => each.opType);
    expect(ops).toEqual(['If', 'Loop', 'Conv', 'Conv', 'Identity', 'Conv']);
  });

  it('takes time linear in the number of nodes that share their constants', async () => {
    const build = (count: number) => {
      const nodes = Array.from({ length: count }, (_, i) => [
        node('Conv', [`t${i}`, 'w'], [`c${i}`]),
        node('BatchNormalization', [`c${i}`, 's', 'b', 'm', 'v'], [`r${i}`]),
        node('Relu', [`r${i}`], [`t${i + 1}`]),
      ]).flat();
      return buildModel({
        inputs: { t0: [1, 2, 3] },
        outputs: [`t${count}`],
        initializers: { w: f32([2, 2, 1]), ...parameters },
        nodes,
      });
    };
    const time = async (count: number): Promise<number> => {
      const model = build(count);
      const start = performance.now();
      await fuse(model, { executor });
      expect(model.graph.nodeCount).toBe(2 * count);
      return performance.now() - start;
    };
    await time(200);
    const [small, large] = [await time(500), await time(4000)];
    // Eight times the nodes: quadratic work would take 64 times as long.
    expect(large / small).toBeLessThan(30);
  });
});
