import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { constant, f32, i64, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked } from './fuse.ts';

/** Gather(Shape(of), axis) as an element of rank 1 named `name`, the way torch's exporter writes it. */
function size(of: string, axis: number, name: string): { nodes: NodeProto[]; initializers: Record<string, Constant> } {
  return {
    nodes: [
      node('Shape', [of], [`${name}_shape`]),
      node('Gather', [`${name}_shape`, `${name}_index`], [`${name}_size`], { axis: 0 }),
      node('Unsqueeze', [`${name}_size`, `${name}_axes`], [name]),
    ],
    initializers: { [`${name}_index`]: scalar('int64', axis), [`${name}_axes`]: i64([0]) },
  };
}

/** Reshape(x, target), where each element is a number or an axis of a value. */
function reshape(
  target: readonly (number | [string, number])[],
  more: Partial<ModelSpec> = {},
  attributes = {},
): ModelSpec {
  const parts = target.map((element, i) => {
    return typeof element === 'number'
      ? { nodes: [], initializers: { [`t${i}`]: i64([element]) } }
      : size(...element, `t${i}`);
  });
  return {
    inputs: { x: ['n', 3, 'h', 4] },
    outputs: ['y'],
    ...more,
    initializers: Object.assign({}, more.initializers, ...parts.map((part) => part.initializers)) as Record<
      string,
      Constant
    >,
    nodes: [
      ...(more.nodes ?? []),
      ...parts.flatMap((part) => part.nodes),
      node(
        'Concat',
        target.map((_, i) => `t${i}`),
        ['target'],
        { axis: 0 },
      ),
      node('Reshape', ['x', 'target'], ['y'], attributes),
    ],
  };
}

const feeds = feed({ x: [2, 3, 5, 4] });

/** Shape → Slice → Concat → Resize and ConstantOfShape → Equal → Where → Expand, with anchors made of a Range, as detectors have it. */
function detector(inputs: NonNullable<ModelSpec['inputs']>): ModelSpec {
  return {
    opset: 13,
    inputs,
    outputs: ['boxes', 'up'],
    initializers: {
      ...{ w: f32([4, 3, 3, 3]), hw: i64([2]), end: i64([4]), zero: i64([0]), two: i64([2]), half: i64([1]) },
      ...{ none: f32([0]), i2: scalar('int64', 2), start: scalar('int64', 0), step: scalar('int64', 1) },
      ...{ minus: scalar('int64', -1), ones: i64([3]), tail: i64([-1]), row: i64([1, -1]), axes: i64([0]) },
    },
    nodes: [
      node('Conv', ['x', 'w'], ['f'], { strides: [2, 2], pads: [1, 1, 1, 1] }),
      node('Conv', ['f', 'v'], ['p'], { strides: [2, 2], pads: [1, 1, 1, 1] }),
      node('Shape', ['f'], ['fs']),
      node('Slice', ['fs', 'hw', 'end', 'zero'], ['size']),
      node('Shape', ['p'], ['ps']),
      node('Slice', ['ps', 'zero', 'two', 'zero'], ['lead']),
      node('Cast', ['size'], ['size32'], { to: 6 }),
      node('Cast', ['size32'], ['size64'], { to: 7 }),
      node('Concat', ['lead', 'size64'], ['sizes'], { axis: 0 }),
      node('Resize', ['p', 'none', 'none', 'sizes'], ['up'], { mode: 'nearest' }),
      node('Gather', ['fs', 'i2'], ['h'], { axis: 0 }),
      node('Range', ['start', 'h', 'step'], ['grid']),
      node('Cast', ['grid'], ['y'], { to: 1 }),
      node('Reshape', ['y', 'row'], ['ys']),
      node('Gather', ['fs', 'start'], ['n'], { axis: 0 }),
      node('Unsqueeze', ['n', 'axes'], ['n1']),
      node('Unsqueeze', ['h', 'axes'], ['h1']),
      node('Concat', ['n1', 'h1'], ['want'], { axis: 0 }),
      node('ConstantOfShape', ['two'], ['filler'], { value: i64([1]) }),
      node('Equal', ['want', 'minus'], ['open']),
      node('Where', ['open', 'filler', 'want'], ['target']),
      node('Expand', ['ys', 'target'], ['boxes']),
    ],
  };
}

describe('shape-folding', () => {
  it.each([
    ['fixed axes', [2, 3, 9, 12], ['Conv', 'Conv', 'Resize']],
    ['an open batch', ['n', 3, 9, 12], ['Concat', 'Concat', 'Conv', 'Conv', 'Expand', 'Resize', 'Shape']],
  ] as const)('leaves of the arithmetic of a detector what a run must tell: %s', async (_, dims, expected) => {
    const spec = detector({ x: dims });
    const weights = { ...spec.initializers, v: f32([4, 4, 3, 3]) };
    const { ops } = await fuseChecked({ ...spec, initializers: weights }, feed({ x: [2, 3, 9, 12] }));
    const kinds = ops.filter((op) => !['Gather', 'Slice', 'Unsqueeze'].includes(op)).sort();
    expect([...new Set(kinds)]).toEqual([...new Set(expected)]);
  });

  it.each<[string, (number | [string, number])[], number[]]>([
    ['the batch axis is kept', [['x', 0], -1], [0, -1]],
    [
      'every axis is its own',
      [
        ['x', 0],
        ['x', 1],
        ['x', 2],
        ['x', 3],
      ],
      [0, 3, 0, 4],
    ],
    ['one size is of another axis', [3, ['x', 0], 20], [3, -1, 20]],
    ['literal zeros copy', [0, 0, -1], [0, 0, -1]],
  ])('gives Reshape a constant target when %s', async (_, target, expected) => {
    const { ops, model } = await fuseChecked(reshape(target), feeds);
    expect(ops).toEqual(['Reshape']);
    expect([...model.graph.nodes()][0]!.constant(1)!.ints()).toEqual(expected);
  });

  it('follows an axis by identity of a value of unknown shape, and by its declared symbol', async () => {
    const unknown = reshape([['r', 0], -1], {
      inputs: { z: { type: 'float32' } },
      nodes: [node('Relu', ['z'], ['r'])],
    });
    const own = {
      ...unknown,
      nodes: unknown.nodes.map((each) => (each.opType === 'Reshape' ? node('Reshape', ['r', 'target'], ['y']) : each)),
    };
    expect((await fuseChecked(own, { z: feeds['x']! })).ops).toEqual(['Relu', 'Reshape']);
    const symbol = reshape([['z', 0], -1], { inputs: { x: ['n', 3, 5, 4], z: ['n', 2] } });
    expect((await fuseChecked(symbol, { ...feeds, ...feed({ z: [2, 2] }) })).ops).toEqual(['Reshape']);
  });

  it('drops allowzero, which would make the copied axis a literal zero', async () => {
    const { ops, model } = await fuseChecked(reshape([['x', 0], -1], {}, { allowzero: 1 }), feeds);
    expect(ops).toEqual(['Reshape']);
    expect([...model.graph.nodes()][0]!.int('allowzero')).toBeUndefined();
  });

  it('leaves a size that need not be that of the axis', async () => {
    const refuse = (spec: ModelSpec, more = {}) =>
      expectRefusal(spec, { ...feeds, ...more }, 'shape-folding', 'n_y', /not known to be an axis/, ['common']);
    // Constants that the Reshape reads stay separate nodes, so the count of nodes does not change.
    await refuse(reshape([['z', 0], -1], { inputs: { x: [2, 3, 5, 4], z: ['m', 1] } }), feed({ z: [2, 1] }));
    await refuse(
      reshape([['x', 0], ['x', 2], ['x', 2], -1], { inputs: { x: ['n', 'c', 'h', 'w'] } }),
      feed({ x: [2, 5, 5, 4] }),
    );
  });

  it('leaves a literal zero under allowzero', () =>
    expectRefusal(
      reshape([['x', 0], 0], { inputs: { x: ['n', 0] } }, { allowzero: 1 }),
      { x: constant('float32', [2, 0]) as never },
      'shape-folding',
      'n_y',
      /literal zero/,
    ));

  it('computes Shape, Gather, Slice, Squeeze and Concat of static axes, whatever the others are', async () => {
    const index = fc.integer({ min: -4, max: 3 });
    await fc.assert(
      fc.asyncProperty(
        index,
        fc.integer({ min: -6, max: 6 }),
        fc.integer({ min: -6, max: 6 }),
        async (axis, start, end) => {
          const { ops, outputs } = await fuseChecked(
            {
              inputs: { x: ['n', 3, 5, 4] },
              outputs: ['g', 'l', 'q', 'c', 'z'],
              initializers: {
                i: scalar('int64', axis),
                s: i64([start]),
                e: i64([end]),
                a: i64([0]),
                k: f32([1]),
                one: i64([1]),
                two: i64([2]),
              },
              nodes: [
                node('Shape', ['x'], ['shape']),
                node('Gather', ['shape', 'i'], ['g']),
                node('Slice', ['shape', 's', 'e', 'a'], ['l']),
                node('Slice', ['shape', 'one', 'two'], ['m']),
                node('Squeeze', ['m', 'a'], ['q']),
                node('Concat', ['m', 's'], ['c'], { axis: 0 }),
                node('Relu', ['x'], ['z']),
              ],
            },
            feeds,
          );
          const isStatic =
            [2, 3, 5, 4].slice(start, end).length === [0, 3, 5, 4].slice(start, end).filter(Boolean).length;
          const kept = axis === 0 || axis === -4 ? ['Gather'] : [];
          expect(ops.filter((op) => op === 'Gather')).toEqual(kept);
          const isWhole = [2, 3, 5, 4].slice(start, end).length === 4;
          expect(ops.filter((op) => op === 'Slice')).toEqual(isStatic || isWhole ? [] : ['Slice']);
          expect([...outputs['c']!.data]).toEqual([3n, BigInt(start)]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('reads axes from attributes in old opsets, start and end of Shape in new ones', async () => {
    const old: ModelSpec = {
      opset: 9,
      inputs: { x: ['n', 3, 5, 4] },
      outputs: ['y'],
      initializers: { i: scalar('int64', 0), minus: i64([-1]) },
      nodes: [
        node('Shape', ['x'], ['s']),
        node('Gather', ['s', 'i'], ['g']),
        node('Unsqueeze', ['g'], ['u'], { axes: [0] }),
        node('Slice', ['s'], ['h'], { starts: [1], ends: [2] }),
        node('Concat', ['u', 'h', 'minus'], ['t'], { axis: 0 }),
        node('Reshape', ['x', 't'], ['y']),
      ],
    };
    expect((await fuseChecked(old, feeds)).ops).toEqual(['Reshape']);
    const recent: ModelSpec = {
      inputs: { x: ['n', 3, 'h', 4] },
      outputs: ['y'],
      nodes: [node('Shape', ['x'], ['s'], { start: -1 }), node('Cast', ['s'], ['y'], { to: 7 })],
    };
    expect((await fuseChecked(recent, feeds)).ops).toEqual([]);
  });
});
