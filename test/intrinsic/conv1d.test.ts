import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, i64, node, type AttributeSpec, type ModelSpec } from '../support/build.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

interface Choice {
  readonly batch: number;
  readonly groups: number;
  readonly inner: number;
  readonly outer: number;
  readonly kernel: number;
  readonly length: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pads: readonly [number, number];
  /** Which spatial axis of the Conv is the added one. */
  readonly flat: 0 | 1;
  /** x is [N, L, C], as TensorFlow has it, with Transposes around the Conv. */
  readonly channelsLast: boolean;
  readonly bias: boolean;
  readonly relu: boolean;
  readonly opset: number;
}

const plain: Choice = {
  batch: 2,
  groups: 1,
  inner: 3,
  outer: 4,
  kernel: 3,
  length: 9,
  stride: 1,
  dilation: 1,
  pads: [0, 0],
  flat: 0,
  channelsLast: false,
  bias: true,
  relu: false,
  opset: 17,
};

function shapeOf({ batch, groups, inner, length, channelsLast }: Choice): number[] {
  return channelsLast ? [batch, length, groups * inner] : [batch, groups * inner, length];
}

/** u = Unsqueeze(x), (a = Transpose(u),) c = Conv, (r = Relu, b = Transpose,) y = Squeeze */
function conv1d(choice: Choice, more: Partial<ModelSpec> = {}): ModelSpec {
  const { groups, inner, outer, kernel, stride, dilation, pads, flat, channelsLast, bias, relu, opset } = choice;
  const both = <T>(along: T, across: T): T[] => (flat === 0 ? [across, along] : [along, across]);
  const attributes: Record<string, AttributeSpec> = {
    group: groups,
    kernel_shape: both(kernel, 1),
    strides: both(stride, 1),
    dilations: both(dilation, 1),
    pads: [...both(pads[0], 0), ...both(pads[1], 0)],
  };
  // In [N, H, W, C] the added axis is H or W.
  const axis = channelsLast ? 1 + flat : 2 + flat;
  const change = (type: string, input: string, output: string): NodeProto =>
    opset < 13 ? node(type, [input], [output], { axes: [axis] }) : node(type, [input, 'axes'], [output]);
  const nodes = [change('Unsqueeze', 'x', 'u')];
  if (channelsLast) nodes.push(node('Transpose', ['u'], ['a'], { perm: [0, 3, 1, 2] }));
  nodes.push(node('Conv', [channelsLast ? 'a' : 'u', 'w', ...(bias ? ['bias'] : [])], ['c'], attributes));
  if (relu) nodes.push(node('Relu', ['c'], ['r']));
  if (channelsLast) nodes.push(node('Transpose', [relu ? 'r' : 'c'], ['b'], { perm: [0, 2, 3, 1] }));
  nodes.push(change('Squeeze', channelsLast ? 'b' : relu ? 'r' : 'c', 'y'));
  return {
    opset,
    inputs: { x: shapeOf(choice) },
    outputs: ['y'],
    initializers: {
      w: f32([groups * outer, inner, ...both(kernel, 1)]),
      ...(bias ? { bias: f32([groups * outer]) } : {}),
      ...(opset < 13 ? {} : { axes: i64([axis]) }),
    },
    nodes,
    ...more,
  };
}

const x = feed({ x: shapeOf(plain) });

describe('conv-one-d', () => {
  it('takes away the axis that Unsqueeze adds and Squeeze drops', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          batch: fc.integer({ min: 1, max: 2 }),
          groups: fc.integer({ min: 1, max: 2 }),
          inner: fc.integer({ min: 1, max: 3 }),
          outer: fc.integer({ min: 1, max: 3 }),
          kernel: fc.integer({ min: 1, max: 3 }),
          length: fc.integer({ min: 5, max: 9 }),
          stride: fc.integer({ min: 1, max: 2 }),
          dilation: fc.integer({ min: 1, max: 2 }),
          pads: fc.tuple(fc.nat(2), fc.nat(2)),
          flat: fc.constantFrom(0 as const, 1 as const),
          channelsLast: fc.boolean(),
          bias: fc.boolean(),
          relu: fc.boolean(),
          opset: fc.constantFrom(11, 17),
        }),
        async (choice) => {
          const dims = shapeOf(choice);
          const terms = choice.inner * choice.kernel + 1;
          const { ops, model } = await fuseChecked(conv1d(choice), feed({ x: dims }), 2 * terms * terms * unit);
          const middle = choice.relu ? ['Conv', 'Relu'] : ['Conv'];
          expect(ops).toEqual(choice.channelsLast ? ['Transpose', ...middle, 'Transpose'] : middle);
          expect([...model.graph.nodes()].find((each) => each.is('Conv'))!.constant(1)!.dims).toHaveLength(3);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps declared shapes true, and gives a shared weight a copy of its own', async () => {
    const spec = conv1d({ ...plain, channelsLast: true, relu: true }, { values: { c: [2, 4, 1, 7], a: [2, 3, 1, 9] } });
    const { model } = await fuseChecked(spec, feed({ x: [2, 9, 3] }), 200 * unit);
    expect(model.graph.values.get('c')!.dims).toEqual([2, 4, 7]);
    expect(model.graph.values.get('a')!.dims).toEqual([2, 3, 9]);
    const other = { ...conv1d(plain), outputs: ['y', 'z'] };
    const shared = { ...other, nodes: [...other.nodes, node('Neg', ['w'], ['z0']), node('Shape', ['z0'], ['z'])] };
    const { ops } = await fuseChecked(shared, x, 200 * unit, ['constant-folding', 'shape-folding']);
    expect(ops).toEqual(['Conv', 'Neg', 'Shape']);
  });

  it('leaves a Conv of two dimensions alone', async () => {
    const { nodes } = conv1d(plain);
    const conv = { ...conv1d(plain), inputs: { u: [2, 3, 1, 9] }, outputs: ['c'], nodes: [nodes[1]!] };
    expect((await fuseChecked(conv, feed({ u: [2, 3, 1, 9] }))).log).toEqual({ applied: [], refused: [] });
  });

  /** The Conv leaves one column, and that is what goes. */
  function other(): NodeProto[] {
    const [unsqueeze, conv] = conv1d(plain).nodes;
    return [unsqueeze!, conv!, node('Squeeze', ['c', 'last'], ['y'])];
  }

  it('does not take a batch or channel axis for one of a 1-D convolution', async () => {
    const nodes = [
      node('Unsqueeze', ['x', 'first'], ['u']),
      node('Conv', ['u', 'w'], ['c']),
      node('Squeeze', ['c', 'first'], ['y']),
    ];
    const spec: ModelSpec = {
      inputs: { x: [3, 4, 9] },
      outputs: ['y'],
      initializers: { w: f32([1, 3, 1, 3]), first: i64([0]) },
      nodes,
    };
    expect((await fuseChecked(spec, feed({ x: [3, 4, 9] }))).log).toEqual({ applied: [], refused: [] });
  });

  const squeezed = (change: (nodes: NodeProto[]) => NodeProto[]): ModelSpec => {
    const spec = conv1d(plain);
    return { ...spec, nodes: change([...spec.nodes]) };
  };
  it.each<[string, ModelSpec, RegExp]>([
    [
      'without a Squeeze',
      { ...squeezed(([u, c]) => [u!, c!, node('Neg', ['c'], ['y'])]) },
      /no Squeeze takes away the axis that 'n_u' adds/,
    ],
    ['when its result is a graph output', conv1d(plain, { outputs: ['y', 'c'] }), /no Squeeze takes away the axis/],
    [
      'when something else reads the wider input',
      { ...squeezed((n) => [...n, node('Neg', ['u'], ['z'])]), outputs: ['y', 'z'] },
      /'u', .* is read by 'n_z' too/,
    ],
    [
      'an input of unknown rank',
      conv1d(plain, { inputs: { x: { type: 'float32' } } }),
      /the rank of 'x' is not known, not 3/,
    ],
    [
      'a kernel that is wide along the axis',
      squeezed(([u, , s]) => [u!, node('Conv', ['u', 'w3'], ['c'], { pads: [1, 0, 1, 0] }), s!]),
      /its kernel has length 3, not 1/,
    ],
    [
      'padding of the axis',
      squeezed(([u, , s]) => [u!, node('Conv', ['u', 'w1'], ['c'], { pads: [1, 0, 0, 0], strides: [2, 1] }), s!]),
      /it pads the axis that is added/,
    ],
    [
      'a weight that is computed',
      squeezed(([u, , s]) => [u!, node('Conv', ['u', 'v'], ['c']), s!]),
      /its weight is computed at run time/,
    ],
    [
      'a Squeeze of another axis',
      conv1d({ ...plain, length: 3 }, { nodes: other() }),
      /'n_y' does not take away the axis that 'n_u' adds/,
    ],
  ])('refuses %s', (_, model, reason) => {
    const uses = (name: string): boolean => model.nodes.some((each) => each.input!.includes(name));
    const extra = {
      ...(uses('w3') ? { w3: f32([4, 3, 3, 3]) } : {}),
      ...(uses('w1') ? { w1: f32([4, 3, 1, 3]) } : {}),
      ...(uses('last') ? { last: i64([3]) } : {}),
    };
    const v = uses('v') ? { v: [4, 3, 1, 3] } : {};
    const initializers = Object.fromEntries(
      Object.entries({ ...model.initializers, ...extra }).filter(([name]) => uses(name)),
    );
    const spec = { ...model, initializers, inputs: { ...model.inputs, ...v } };
    const dims = model.inputs!['x'] as readonly number[] | { type: string };
    const given = Array.isArray(dims) ? feed({ x: dims }) : x;
    return expectRefusal(spec, { ...given, ...feed(v) }, 'conv-one-d', 'n_c', reason);
  });
});
