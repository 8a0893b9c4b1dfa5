import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, buildModel, constant, f32, node, scalar, type GraphSpec, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';

const feeds = feed({ x: [2, 3] });
const choose = (go: string, outputs: string[], then: GraphSpec, other: GraphSpec) =>
  node('If', [go], outputs, { then_branch: body(then), else_branch: body(other) });
const spec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 3] },
  outputs: ['y'],
  initializers: { yes: scalar('bool', 1), no: constant('bool', [1], [0]) },
  nodes,
  ...more,
});

describe('constant-if', () => {
  it('takes the branch of the condition, whatever its results are and who reads them', async () => {
    const sources = fc.constantFrom('computed', 'constant');
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.record({ source: sources, isOutput: fc.boolean() }), { minLength: 1, maxLength: 3 }),
        async (go, results) => {
          // Every computed result is read inside as well, by the node of the next one.
          const branch = (opType: 'Sin' | 'Cos', prefix: string): GraphSpec => ({
            initializers: Object.fromEntries(results.map((_, i) => [`${prefix}k${i}`, f32([2, 3])])),
            nodes: results.map((_, i) => node(opType, [i === 0 ? 'x' : `${prefix}${i - 1}`], [`${prefix}${i}`])),
            outputs: results.map(({ source }, i) => (source === 'computed' ? `${prefix}${i}` : `${prefix}k${i}`)),
          });
          const outputs = results.map((_, i) => `r${i}`);
          const nodes = [
            choose(go ? 'yes' : 'no', outputs, branch('Sin', 'a'), branch('Cos', 'b')),
            ...outputs.map((name, i) => node('Neg', [name], [`y${i}`])),
          ];
          const named = results.flatMap(({ isOutput }, i) => (isOutput ? [`y${i}`, `r${i}`] : [`y${i}`]));
          const { ops, log } = await fuseChecked(spec(nodes, { outputs: named }), feeds);
          expect(ops).not.toContain('If');
          expect(ops).not.toContain(go ? 'Cos' : 'Sin');
          expect(log.refused).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('folds the condition first, and goes on with what is inside', async () => {
    const inner = choose(
      'yes',
      ['t'],
      { nodes: [node('Relu', ['s'], ['u'])], outputs: ['u'] },
      { nodes: [node('Neg', ['s'], ['v'])], outputs: ['v'] },
    );
    const nodes = [
      node('Equal', ['rate', 'fast'], ['go']),
      choose(
        'go',
        ['y'],
        { nodes: [node('Neg', ['x'], ['n'])], outputs: ['n'] },
        { nodes: [node('Sin', ['x'], ['s']), inner], outputs: ['t'] },
      ),
    ];
    const initializers = { ...spec([]).initializers!, rate: scalar('int64', 16000), fast: scalar('int64', 8000) };
    const { ops } = await fuseChecked(spec(nodes, { initializers }), feeds);
    expect(ops).toEqual(['Sin', 'Relu']);
  });

  it('works in bodies of other nodes, and moves bodies along', async () => {
    const loop = node('Loop', ['trips', 'yes', 's'], ['out'], {
      body: body({
        inputs: { i: { type: 'int64', dims: [] }, go: { type: 'bool', dims: [] }, state: [2, 3] },
        outputs: { still: { type: 'bool', dims: [] }, next: [2, 3] },
        nodes: [node('Identity', ['go'], ['still']), node('Add', ['state', 's'], ['next'])],
      }),
    });
    const constantOne = choose(
      'yes',
      ['a'],
      { nodes: [node('Sin', ['x'], ['s']), loop], outputs: ['out'] },
      { nodes: [node('Cos', ['x'], ['c'])], outputs: ['c'] },
    );
    const nodes = [
      choose(
        'fed',
        ['y'],
        { nodes: [constantOne], outputs: ['a'] },
        { nodes: [node('Neg', ['x'], ['z'])], outputs: ['z'] },
      ),
    ];
    const model = spec(nodes, {
      inputs: { x: [2, 3], fed: { type: 'bool', dims: [] } },
      initializers: { ...spec([]).initializers!, trips: scalar('int64', 3) },
    });
    const { ops, model: fused } = await fuseChecked(model, { ...feeds, fed: scalar('bool', 1) as TensorValue });
    expect(ops).toEqual(['If']);
    expect([...fused.allNodes()].map((each) => each.opType)).toEqual(['If', 'Sin', 'Loop', 'Identity', 'Add', 'Neg']);
  });

  it('gives every moved value a name of its own and keeps those of the results', async () => {
    const branch = (inner: string): GraphSpec => ({
      nodes: [node('Sin', ['x'], [inner]), node('Neg', [inner], ['same'])],
      outputs: ['same'],
    });
    const nodes = [
      choose('yes', ['p'], branch('i'), branch('i')),
      choose('no', ['q'], branch('i'), branch('i')),
      node('Add', ['p', 'q'], ['y']),
    ];
    const { model } = await fuseChecked(spec(nodes, { outputs: ['p', 'q', 'y'] }), feeds, 0, ['unique-names']);
    const names = [...model.graph.nodes()].map((each) => each.output()!.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['p', 'q', 'y']));
    expect(new Set([...model.graph.nodes()].map((each) => each.name)).size).toBe(names.length);
  });

  it('moves a branch that only hands on what stands outside', async () => {
    const through: GraphSpec = { nodes: [node('Identity', ['r'], ['t'])], outputs: ['t'] };
    const nodes = [node('Relu', ['x'], ['r']), choose('yes', ['y'], through, through)];
    // The Identity moves out, and is then judged like any other.
    const { ops } = await fuseChecked(spec(nodes), feeds);
    expect(ops).toEqual(['Relu']);
  });

  it('leaves one result under two names of the model, which onnxruntime does not run right either', async () => {
    const twice: GraphSpec = { nodes: [node('Sin', ['x'], ['t'])], outputs: ['t', 't'] };
    const nodes = [choose('yes', ['y', 'z'], twice, twice)];
    const model = buildModel(spec(nodes, { outputs: ['y', 'z'] }));
    const { refused } = await fuse(model, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    const reason = "'z' is a graph output and only another name for 't'";
    expect(refused).toContainEqual({ pass: 'constant-if', node: 'n_y', reason });
    const read = buildModel(spec([...nodes, node('Neg', ['z'], ['n'])], { outputs: ['y', 'n'] }));
    await fuse(read, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    expect([...read.graph.nodes()].map((each) => each.opType)).toEqual(['Sin', 'Neg']);
  });
});
