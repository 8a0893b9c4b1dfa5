import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { body, constant, f32, float, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked } from './fuse.ts';

const feeds = feed({ x: [2, 3] });
const spec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
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
    const { ops, log } = await fuseChecked(spec(nodes), feeds);
    expect(ops).toEqual(['Relu']);
    expect(log.refused).toEqual([]);
  });

  it('keeps the declared shape for the value that remains', async () => {
    const nodes = [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['b']), node('Neg', ['b'], ['y'])];
    const { model } = await fuseChecked(spec(nodes, { values: { b: [2, 3] } }), feeds);
    expect(model.graph.values.get('a')!.dims).toEqual([2, 3]);
  });

  it.each([
    ['opset 7', 7, ['x'], { ratio: float(0.9) }],
    ['opset 12 without training_mode', 12, ['x', 'ratio'], {}],
    ['opset 13, training_mode = false', 13, ['x', 'ratio', 'off'], {}],
  ])('removes Dropout: %s', async (_, opset, inputs, attributes) => {
    const initializers = { ratio: scalar('float32', 0.9), off: scalar('bool', 0) };
    const nodes = [node('Dropout', inputs, ['a', 'mask'], attributes), node('Relu', ['a'], ['y'])];
    expect((await fuseChecked(spec(nodes, { opset, initializers }), feeds)).ops).toEqual(['Relu']);
  });

  it('leaves Dropout whose mask is read, or that may train', async () => {
    const initializers: Record<string, Constant> = { ratio: scalar('float32', 0), on: scalar('bool', 1) };
    const masked = spec([node('Dropout', ['x'], ['y', 'mask'])], { outputs: ['y', 'mask'] });
    await expectRefusal(masked, feeds, 'identity', 'n_y', /its mask 'mask' is read/);
    const training = spec([node('Dropout', ['x', 'ratio', 'on'], ['y'])], { initializers });
    await expectRefusal(training, feeds, 'identity', 'n_y', /runs in training mode/);
    const fed = spec([node('Dropout', ['x', '', 'mode'], ['y'])], {
      inputs: { x: [2, 3], mode: { type: 'bool', dims: [] } },
    });
    await expectRefusal(
      fed,
      { ...feeds, mode: scalar('bool', 0) as TensorValue },
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
      spec([node('Identity', ['x'], ['y'])]),
      feeds,
      'identity',
      'n_y',
      /'y' is a graph output.*'x' is a graph input/,
    );
    const twice = spec([node('Relu', ['x'], ['a']), node('Identity', ['a'], ['y'])], { outputs: ['a', 'y'] });
    await expectRefusal(twice, feeds, 'identity', 'n_y', /'a' is a graph output too/);
  });

  it('is left in a body that hands on a value from outside', async () => {
    const branch = (output: string, input: string) =>
      body({ outputs: [output], nodes: [node('Identity', [input], [output])] });
    const nodes = [
      node('Relu', ['x'], ['r']),
      node('If', ['c'], ['y'], { then_branch: branch('t', 'r'), else_branch: branch('e', 'x') }),
    ];
    const model = spec(nodes, { inputs: { x: [2, 3], c: { type: 'bool', dims: [] } } });
    const c = constant('bool', [], [1]) as TensorValue;
    const { ops, log } = await fuseChecked(model, { ...feeds, c });
    expect(ops).toEqual(['Relu', 'If']);
    expect(log.refused.map((each) => each.node)).toEqual(['n_t', 'n_e']);
    expect(log.refused[0]!.reason).toMatch(/'r' stands in another graph/);
  });
});
