import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import type { Executor, Model } from '../../src/graph/model.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, buildModel, constant, f32, float, i64, node, scalar, type ModelSpec } from '../support/build.ts';
import { gaussian } from '../quantized/make-quantized.ts';
import { expectRefusal, feed, fuseChecked } from './fuse.ts';

const feeds = feed({ x: [4] });

/** Counts what the fusions ask of the runtime. */
function counting(): Executor & { runs: number } {
  const executor = createExecutor();
  const counter = {
    runs: 0,
    run: (...args: Parameters<Executor['run']>) => {
      counter.runs++;
      return executor.run(...args);
    },
  };
  return counter;
}

describe('constant-folding', () => {
  it('computes random constant graphs exactly, in one run of one model', async () => {
    const step = fc.record({
      op: fc.constantFrom('Add', 'Mul', 'Sub', 'Max'),
      a: fc.nat(),
      b: fc.nat(),
      live: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const names = ['k', 'l'];
        const nodes = steps.map(({ op, a, b }, i) => {
          const made = node(op, [names[a % names.length]!, names[b % names.length]!], [`c${i}`]);
          names.push(`c${i}`);
          return made;
        });
        const uses = steps.flatMap(({ live }, i) =>
          live || i === steps.length - 1 ? [node('Add', ['x', `c${i}`], [`y${i}`])] : [],
        );
        const spec: ModelSpec = {
          inputs: { x: [4] },
          outputs: uses.map((each) => each.output![0]!),
          initializers: { k: f32([4]), l: f32([1], [0.75]) },
          nodes: [...nodes, ...uses],
        };
        const { ops } = await fuseChecked(spec, feeds);
        expect(ops).toEqual(uses.map(() => 'Add'));
        const executor = counting();
        await fuse(buildModel(spec), { executor });
        expect(executor.runs).toBe(1);
      }),
      { numRuns: 20 },
    );
  });

  it('folds a graph output, and nodes with several outputs, under their names', async () => {
    const { ops, model } = await fuseChecked(
      {
        inputs: { x: [4] },
        outputs: ['k2', 'y'],
        initializers: { k: f32([6], [1, 2, 3, 4, 5, 6]) },
        nodes: [
          node('Split', ['k'], ['s', 'unused', 't'], { axis: 0 }),
          node('Add', ['s', 't'], ['k2']),
          node('ReduceSum', ['t'], ['u']),
          node('Mul', ['x', 'u'], ['y']),
        ],
        opset: 13,
      },
      feeds,
    );
    expect(ops).toEqual(['Mul']);
    expect(model.graph.outputs[0]!.constant!.floats()).toEqual(Float32Array.of(6, 8));
  });

  it('folds inside bodies, with constants captured from outside', async () => {
    const branch = (output: string, op: string) =>
      body({
        outputs: [output],
        nodes: [node(op, ['k', 'l'], [`${output}k`]), node('Add', ['x', `${output}k`], [output])],
      });
    const spec: ModelSpec = {
      inputs: { x: [4], c: { type: 'bool', dims: [] } },
      outputs: ['y'],
      initializers: { k: f32([4]), l: f32([4], [1, 2, 3, 4]) },
      nodes: [node('If', ['c'], ['y'], { then_branch: branch('t', 'Mul'), else_branch: branch('e', 'Sub') })],
    };
    const { model } = await fuseChecked(spec, { ...feeds, c: constant('bool', [], [0]) as TensorValue });
    expect([...model.allNodes()].map((each) => each.opType)).toEqual(['If', 'Add', 'Add']);
  });

  it('keeps what grows the file, but folds what leads there', async () => {
    const spec: ModelSpec = {
      inputs: { f: [1] },
      outputs: ['y'],
      initializers: { k: scalar('float32', 2), a: i64([1024]), b: i64([300]) },
      nodes: [
        node('Concat', ['a', 'b'], ['shape'], { axis: 0 }),
        node('Expand', ['k', 'shape'], ['e']),
        node('Neg', ['e'], ['n']),
        node('ReduceMax', ['n'], ['m'], { keepdims: 0 }),
        node('Add', ['n', 'm'], ['large']),
        node('Cast', ['large'], ['large2'], { to: 1 }),
        node('Mul', ['large2', 'f'], ['y']),
      ],
    };
    const { ops, log } = await fuseChecked(spec, feed({ f: [1] }));
    expect(ops).toEqual(['Expand', 'Neg', 'Add', 'Mul']);
    expect(log.refused.map((each) => each.node)).toEqual(['n_large', 'n_n', 'n_e']);
    expect(log.refused[0]!.reason).toMatch(/'large' is constant, but larger than what it is computed from/);
  });

  it('folds a large result that is no larger than its sources', async () => {
    const { ops } = await fuseChecked(
      {
        inputs: { x: [512] },
        outputs: ['y'],
        initializers: { w: f32([512, 600]) },
        nodes: [node('Transpose', ['w'], ['t'], { perm: [1, 0] }), node('MatMul', ['t', 'x'], ['y'])],
      },
      feed({ x: [512] }),
    );
    expect(ops).toEqual(['MatMul']);
  });

  it('never folds quantizers or random numbers', async () => {
    const spec: ModelSpec = {
      inputs: { x: [4] },
      outputs: ['y'],
      initializers: { k: f32([4]), s: scalar('float32', 0.1), z: scalar('int8', 0) },
      nodes: [
        node('Neg', ['k'], ['n']),
        node('QuantizeLinear', ['n', 's', 'z'], ['q']),
        node('DequantizeLinear', ['q', 's', 'z'], ['d']),
        node('Add', ['x', 'd'], ['y']),
      ],
    };
    const { ops } = await fuseChecked(spec, feeds);
    expect(ops).toEqual(['QuantizeLinear', 'DequantizeLinear', 'Add']);
    const random: ModelSpec = {
      inputs: { x: [4] },
      outputs: ['y'],
      initializers: { k: f32([4]) },
      nodes: [
        node('RandomUniformLike', ['k'], ['r'], { seed: float(1), low: float(0), high: float(0) }),
        node('Add', ['x', 'r'], ['y']),
      ],
    };
    expect((await fuseChecked(random, feeds)).ops).toEqual(['RandomUniformLike', 'Add']);
  });

  it('refuses control flow whose inputs are constant', () => {
    const branch = (output: string, value: number) =>
      body({ outputs: [output], nodes: [node('Add', ['x', 'k'], [output], {}, { name: `add${value}` })] });
    return expectRefusal(
      {
        inputs: { x: [4] },
        outputs: ['y'],
        initializers: { k: f32([4]), c: constant('bool', [], [1]) },
        nodes: [node('If', ['c'], ['y'], { then_branch: branch('t', 1), else_branch: branch('e', 2) })],
      },
      feeds,
      'constant-folding',
      'n_y',
      /control flow is not folded/,
      ['constant-if'],
    );
  });

  it('refuses what onnxruntime cannot run, with its error, and folds the rest', async () => {
    const model = buildModel({
      inputs: { x: [4] },
      outputs: ['y'],
      initializers: { k: f32([4]) },
      nodes: [
        node('Neg', ['k'], ['n']),
        node('Magic', ['n'], ['m']),
        node('Abs', ['m'], ['a']),
        node('Exp', ['k'], ['e']),
        node('Sum', ['x', 'a', 'e'], ['y']),
      ],
    });
    const { refused } = await fuse(model, { executor: createExecutor() });
    expect([...model.graph.nodes()].map((each) => each.opType)).toEqual(['Magic', 'Abs', 'Sum']);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ pass: 'constant-folding', node: 'n_m' });
    expect(refused[0]!.reason).toMatch(/onnxruntime cannot compute it: .*Magic/);
    expect(refused[0]!.reason).not.toContain('\n');
  });

  it('leaves a table that is also read as it is in one piece, where that is wanted', async () => {
    const build = () =>
      buildModel({
        inputs: { i: { type: 'int64', dims: [2] }, x: [2, 32] },
        outputs: ['e', 'y'],
        initializers: { w: f32([64, 32]), v: f32([64, 32], gaussian(64 * 32)) },
        nodes: [
          node('Gather', ['w', 'i'], ['e']),
          node('Transpose', ['w'], ['t']),
          node('MatMul', ['x', 't'], ['p']),
          node('Transpose', ['v'], ['u']),
          node('MatMul', ['x', 'u'], ['q']),
          node('Add', ['p', 'q'], ['y']),
        ],
      });
    const [tied, apart] = [build(), build()];
    const { refused } = await fuse(tied, { executor: createExecutor(), keepTied: true });
    const types = (model: Model): string[] => [...model.graph.nodes()].map(({ opType }) => opType);
    expect(types(tied).filter((type) => type === 'Transpose')).toHaveLength(1);
    expect(refused).toContainEqual(
      expect.objectContaining({ node: 'n_t', reason: expect.stringContaining('stored twice') }),
    );
    await fuse(apart, { executor: createExecutor() });
    expect(types(apart)).not.toContain('Transpose');
  });

  it('does not fold calls of model functions', async () => {
    const model = buildModel({
      inputs: { x: [4] },
      outputs: ['y'],
      domains: { local: 1 },
      initializers: { k: f32([4]) },
      nodes: [node('Twice', ['k'], ['t'], {}, { domain: 'local' }), node('Add', ['x', 't'], ['y'])],
    });
    model.functions = [
      { name: 'Twice', domain: 'local', input: ['a'], output: ['b'], node: [node('Add', ['a', 'a'], ['b'])] },
    ];
    const log = await fuse(model, { executor: createExecutor() });
    expect(log.applied).toEqual([]);
    expect(log.refused[0]!.reason).toMatch(/model functions/);
  });
});
