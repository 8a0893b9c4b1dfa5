import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, constant, f32, float, node, scalar, type Constant, type ModelSpec, i64 } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked } from './fuse.ts';
import fc from 'fast-check';

const feeds = feed({ x: [2, 3] });
const constants: Record<string, Constant> = {
  same: i64([2, 3]),
  open: i64([2, -1]),
  copied: i64([0, -1]),
  other: i64([3, 2]),
  zeros: i64([0, 0]),
  ends: i64([2, 3]),
  all: constant('int64', [2], [2 ** 31 - 1, 2 ** 53]),
  short: i64([2, 2]),
  ones: i64([1, 1]),
  one: i64([1]),
  steps: i64([1, 2]),
  axes: i64([0, -1]),
  noPads: i64([0, 0, 0, 0]),
  pads: i64([0, 1, 0, 0]),
  wider: i64([4, 2, 3]),
  zero: scalar('float32', 0),
  unit: f32([3], [1, 1, 1]),
  units: f32([1, 2, 3], [1, 1, 1, 1, 1, 1]),
  mixed: f32([3], [1, 1, 2]),
  exponent: scalar('float32', 1),
};
const spec = (inner: ModelSpec['nodes'][number], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 3] },
  outputs: ['y'],
  initializers: constants,
  nodes: [inner, node('Tanh', ['m'], ['y'])],
  ...more,
});

type Attributes = Parameters<typeof node>[3];

describe('no-ops', () => {
  it.each<[string, string, string[], Attributes?]>([
    ['the same shape', 'Reshape', ['x', 'same']],
    ['the same shape with an open axis', 'Reshape', ['x', 'open']],
    ['the same shape with a copied axis', 'Reshape', ['x', 'copied']],
    ['axes in their order', 'Transpose', ['x'], { perm: [0, 1] }],
    ['of one tensor', 'Concat', ['x'], { axis: 1 }],
    ['of one tensor', 'Sum', ['x']],
    ['of one tensor', 'Max', ['x']],
    ['to the declared end', 'Slice', ['x', 'zeros', 'ends']],
    ['to any end', 'Slice', ['x', 'zeros', 'all', 'axes', 'ones']],
    ['with nothing', 'Pad', ['x', 'noPads']],
    ['to its shape', 'Expand', ['x', 'same']],
    ['to ones', 'Expand', ['x', 'one']],
    ['of a matrix', 'Flatten', ['x'], { axis: 1 }],
    ['of a matrix', 'Flatten', ['x'], { axis: -1 }],
    ['0', 'Add', ['zero', 'x']],
    ['0', 'Sub', ['x', 'zero']],
    ['1', 'Mul', ['unit', 'x']],
    ['1', 'Div', ['x', 'unit']],
    ['1', 'Pow', ['x', 'exponent']],
  ])('%s: %s is removed', async (_, opType, inputs, attributes) => {
    const { ops, log } = await fuseChecked(spec(node(opType, inputs, ['m'], attributes)), feeds);
    expect(ops).toEqual(['Tanh']);
    expect(log.applied).toContainEqual({ pass: 'no-ops', nodes: ['n_m'], into: undefined });
  });

  it.each<[string, string, string[], Attributes?]>([
    ['another shape', 'Reshape', ['x', 'other']],
    ['reversed axes', 'Transpose', ['x']],
    ['part of an axis', 'Slice', ['x', 'zeros', 'short']],
    ['every second', 'Slice', ['x', 'zeros', 'all', 'axes', 'steps']],
    ['from the second', 'Slice', ['x', 'ones', 'all']],
    ['with something', 'Pad', ['x', 'pads']],
    ['to more axes', 'Expand', ['x', 'wider']],
    ['of everything', 'Flatten', ['x'], { axis: 0 }],
    ['from 0', 'Sub', ['zero', 'x']],
    ['1 by', 'Div', ['unit', 'x']],
    ['to the power', 'Pow', ['exponent', 'x']],
    ['not only 1', 'Mul', ['mixed', 'x']],
    ['1 for more axes', 'Mul', ['units', 'x']],
  ])('%s: %s stays, without a word', async (_, opType, inputs, attributes) => {
    const { ops, log } = await fuseChecked(spec(node(opType, inputs, ['m'], attributes)), feeds);
    expect(ops).toEqual([opType, 'Tanh']);
    expect([...log.applied, ...log.refused].filter((each) => each.pass === 'no-ops')).toEqual([]);
  });

  it.each<[string, string, string[]]>([
    ['a shape that may differ', 'Reshape', ['x', 'same']],
    ['two open axes, one left', 'Reshape', ['x', 'open']],
    ['an end that may cut', 'Slice', ['x', 'zeros', 'ends']],
    ['a size that may be 1', 'Expand', ['x', 'same']],
    ['a size that may be 1', 'Mul', ['x', 'unit']],
  ])('%s: %s of unknown sizes stays', async (_, opType, inputs) => {
    const { ops } = await fuseChecked(spec(node(opType, inputs, ['m']), { inputs: { x: ['n', 'c'] } }), feeds);
    expect(ops).toEqual([opType, 'Tanh']);
  });

  it('compares any shape with any target as Reshape and Expand do', async () => {
    const sizes = fc.array(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(2), fc.constantFrom('as it is', 'open', 'copied'), async (dims, axis, how) => {
        const place = axis % dims.length;
        const target = dims.map((dim, i) => (i !== place ? dim : how === 'open' ? -1 : how === 'copied' ? 0 : dim));
        const declared = dims.map((dim, i) => (i === place && how !== 'as it is' ? 'n' : dim));
        const shape = { inputs: { x: declared }, initializers: { target: i64(target) } };
        const reshaped = await fuseChecked(spec(node('Reshape', ['x', 'target'], ['m']), shape), feed({ x: dims }));
        expect(reshaped.ops).toEqual(['Tanh']);
        if (how !== 'as it is') return;
        // Leading ones broadcast to nothing new, but leading axes would be new.
        const tail = { inputs: { x: dims }, initializers: { target: i64(target.slice(place)) } };
        const expanded = await fuseChecked(spec(node('Expand', ['x', 'target'], ['m']), tail), feed({ x: dims }));
        expect(expanded.ops).toEqual(['Tanh']);
      }),
      { numRuns: 40 },
    );
  });

  it('takes integers too, and old opsets only where constants broadcast by themselves', async () => {
    const x = constant('int64', [2], [5, -7]) as TensorValue;
    const nodes = [node('Mul', ['x', 'one'], ['m']), node('Neg', ['m'], ['y'])];
    const integers = {
      inputs: { x: { type: 'int64', dims: [2] } },
      outputs: ['y'],
      initializers: constants,
      nodes,
    } as const;
    expect((await fuseChecked(integers, { x })).ops).toEqual(['Neg']);
    const old = spec(node('Slice', ['x'], ['m'], { starts: [0], ends: [2], axes: [0] }), { opset: 9 });
    expect((await fuseChecked(old, feeds)).ops).toEqual(['Tanh']);
  });

  it('stays between a graph input and a graph output, with the reason', async () => {
    const through = spec(node('Reshape', ['x', 'same'], ['y']), {});
    await expectRefusal(
      { ...through, nodes: [through.nodes[0]!] },
      feeds,
      'no-ops',
      'n_y',
      /'y' is a graph output and its input 'x' is a graph input/,
    );
    const twice = [node('Relu', ['x'], ['r']), node('Transpose', ['r'], ['y'], { perm: [0, 1] })];
    await expectRefusal(
      { ...through, nodes: twice, outputs: ['r', 'y'] },
      feeds,
      'no-ops',
      'n_y',
      /is a graph output too/,
    );
    expect((await fuseChecked({ ...through, nodes: twice }, feeds)).ops).toEqual(['Relu']);
  });
});

const copyFeeds = feed({ x: [2, 3] });
const copySpec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 3] },
  outputs: { y: [2, 3] },
  nodes,
  ...more,
});

describe('identity', () => {
  it.each([
    ['at the start', [node('Identity', ['x'], ['a']), node('Relu', ['a'], ['y'])]],
    ['at the end', [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['y'])]],
    [
      'in a chain',
      [
        node('Identity', ['x'], ['a']),
        node('Relu', ['a'], ['b']),
        node('Identity', ['b'], ['c']),
        node('Identity', ['c'], ['y']),
      ],
    ],
  ])('is bypassed %s, and output names stay', async (_, nodes) => {
    const { ops, log } = await fuseChecked(copySpec(nodes), copyFeeds);
    expect(ops).toEqual(['Relu']);
    expect(log.refused).toEqual([]);
  });

  it('keeps the declared shape for the value that remains', async () => {
    const nodes = [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['b']), node('Neg', ['b'], ['y'])];
    const { model } = await fuseChecked(copySpec(nodes, { values: { b: [2, 3] } }), copyFeeds);
    expect(model.graph.values.get('a')!.dims).toEqual([2, 3]);
  });

  it.each([
    ['opset 7', 7, ['x'], { ratio: float(0.9) }],
    ['opset 12 without training_mode', 12, ['x', 'ratio'], {}],
    ['opset 13, training_mode = false', 13, ['x', 'ratio', 'off'], {}],
  ])('removes Dropout: %s', async (_, opset, inputs, attributes) => {
    const initializers = { ratio: scalar('float32', 0.9), off: scalar('bool', 0) };
    const nodes = [node('Dropout', inputs, ['a', 'mask'], attributes), node('Relu', ['a'], ['y'])];
    expect((await fuseChecked(copySpec(nodes, { opset, initializers }), copyFeeds)).ops).toEqual(['Relu']);
  });

  it('leaves Dropout whose mask is read, or that may train', async () => {
    const initializers: Record<string, Constant> = { ratio: scalar('float32', 0), on: scalar('bool', 1) };
    const masked = copySpec([node('Dropout', ['x'], ['y', 'mask'])], { outputs: ['y', 'mask'] });
    await expectRefusal(masked, copyFeeds, 'identity', 'n_y', /its mask 'mask' is read/);
    const training = copySpec([node('Dropout', ['x', 'ratio', 'on'], ['y'])], { initializers });
    await expectRefusal(training, copyFeeds, 'identity', 'n_y', /runs in training mode/);
    const fed = copySpec([node('Dropout', ['x', '', 'mode'], ['y'])], {
      inputs: { x: [2, 3], mode: { type: 'bool', dims: [] } },
    });
    await expectRefusal(
      fed,
      { ...copyFeeds, mode: scalar('bool', 0) as TensorValue },
      'identity',
      'n_y',
      /'mode' decides at run time/,
    );
  });

  it('removes Cast to the type that a value is known to have, and only that', async () => {
    const nodes = [
      node('Conv', ['z', 'w'], ['a']),
      node('Cast', ['a'], ['b'], { to: 1 }),
      node('Cast', ['b'], ['c'], { to: 7 }),
      node('Cast', ['c'], ['d'], { to: 7 }),
      node('Cast', ['d'], ['y'], { to: 1 }),
    ];
    const { ops } = await fuseChecked(
      { inputs: { z: [1, 1, 4] }, outputs: ['y'], initializers: { w: f32([1, 1, 2], [3, 4]) }, nodes },
      feed({ z: [1, 1, 4] }),
    );
    expect(ops).toEqual(['Conv', 'Cast', 'Cast']);
  });

  it('is left between a graph input, or a graph output, and a graph output', async () => {
    await expectRefusal(
      copySpec([node('Identity', ['x'], ['y'])]),
      copyFeeds,
      'identity',
      'n_y',
      /'y' is a graph output.*'x' is a graph input/,
    );
    const twice = copySpec([node('Relu', ['x'], ['a']), node('Identity', ['a'], ['y'])], { outputs: ['a', 'y'] });
    await expectRefusal(twice, copyFeeds, 'identity', 'n_y', /'a' is a graph output too/);
  });

  it('is left in a body that hands on a value from outside', async () => {
    const branch = (output: string, input: string) =>
      body({ outputs: [output], nodes: [node('Identity', [input], [output])] });
    const nodes = [
      node('Relu', ['x'], ['r']),
      node('If', ['c'], ['y'], { then_branch: branch('t', 'r'), else_branch: branch('e', 'x') }),
    ];
    const model = copySpec(nodes, { inputs: { x: [2, 3], c: { type: 'bool', dims: [] } } });
    const c = constant('bool', [], [1]) as TensorValue;
    const { ops, log } = await fuseChecked(model, { ...copyFeeds, c });
    expect(ops).toEqual(['Relu', 'If']);
    expect(log.refused.map((each) => each.node)).toEqual(['n_t', 'n_e']);
    expect(log.refused[0]!.reason).toMatch(/'r' stands in another graph/);
  });
});
