import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { body, buildModel, f32, node, scalar, type ModelSpec } from '../support/build.ts';
import { gaussian } from '../quantized/make-quantized.ts';
import { fuseChecked } from './fuse.ts';

const [rows, cols] = [64, 32];
const table = gaussian(rows * cols);
const turned = Float32Array.from({ length: rows * cols }, (_, i) => table[(i % rows) * cols + Math.floor(i / rows)]!);
const ids = { type: 'int64', dims: [3], data: BigInt64Array.of(5n, 63n, 0n) } as const;
const flag = { type: 'bool', dims: [], data: Uint8Array.of(1) } as const;

/** Embeddings, a head on a copy of their table, and a factor before it, as T5 has it. */
const tied = (head: Iterable<number> = turned, more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { i: { type: 'int64', dims: [3] } },
  outputs: ['y'],
  initializers: { t: f32([rows, cols], table), w: f32([cols, rows], head), k: scalar('float32', 0.125) },
  nodes: [node('Gather', ['t', 'i'], ['e']), node('Mul', ['e', 'k'], ['s']), node('MatMul', ['s', 'w'], ['y'])],
  ...more,
});

const ops = (model: Model): string[] => [...model.allNodes()].map(({ opType }) => opType);
const inFloats = (model: Model): number =>
  [...model.graph.graphs()]
    .flatMap(({ values }) => [...values.values()])
    .filter(({ constant }) => constant?.size === rows * cols).length;

async function fused(spec: ModelSpec, keepTied: boolean): Promise<Model> {
  const model = buildModel(spec);
  await fuse(model, { executor: createExecutor(), keepTied });
  return model;
}

describe('tied-tables', () => {
  it('reads a transposed copy from the table, and nothing is folded into it', async () => {
    const model = await fused(tied(), true);
    expect(ops(model).toSorted()).toEqual(['Gather', 'MatMul', 'Mul', 'Transpose']);
    expect(inFloats(model)).toBe(1);
  });

  it('gives a form that wants constants the copy back, as it was', async () => {
    const { ops: types, model, log } = await fuseChecked(tied(), { i: ids }, 1e-6);
    expect(types).toEqual(['Gather', 'Mul', 'MatMul']);
    expect(log.applied).toEqual([]);
    expect(model.graph.values.get('w')!.constant!.floats()).toEqual(turned);
  });

  it('takes heads in bodies and leaves the table where it is', async () => {
    const branch = (name: string) =>
      body({
        name,
        initializers: { [`w_${name}`]: f32([cols, rows], turned) },
        nodes: [node('MatMul', ['s', `w_${name}`], [name])],
        outputs: [name],
      });
    const spec = tied(turned, {
      inputs: { i: { type: 'int64', dims: [3] }, c: { type: 'bool', dims: [] } },
      initializers: { t: f32([rows, cols], table) },
      nodes: [
        node('Gather', ['t', 'i'], ['s']),
        node('If', ['c'], ['y'], { then_branch: branch('a'), else_branch: branch('b') }),
      ],
    });
    const model = await fused(spec, true);
    expect(inFloats(model)).toBe(1);
    await fuseChecked(spec, { i: ids, c: flag }, 1e-6);
  });

  it.each([
    ['one element differs', tied(turned.map((v, i) => (i === 77 ? v + 1 : v)))],
    [
      'it is an output, too',
      tied(turned, {
        nodes: [node('Gather', ['t', 'i'], ['e']), node('MatMul', ['e', 'w'], ['y'])],
        outputs: ['y', 'w'],
      }),
    ],
    [
      'no rows are picked from the table',
      tied(turned, {
        inputs: { x: [3, rows] },
        nodes: [node('MatMul', ['x', 't'], ['e']), node('MatMul', ['e', 'w'], ['y'])],
      }),
    ],
  ])('leaves a copy alone when %s', async (_, spec) => {
    const model = await fused(spec, true);
    expect(ops(model)).not.toContain('Transpose');
    expect(inFloats(model)).toBe(2);
  });
});
