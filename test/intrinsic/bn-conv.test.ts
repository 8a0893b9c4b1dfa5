import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';
import { batchNorm, bn, layers, numbers, placedLayer, shiftObstacle } from './parameters.ts';

/** |gain| ≤ 3 and |shift| ≤ 4 on the inputs of a dot product: magnitudes up to M = 8·(terms + 1). */
const tolerance = (terms: number): number => 2 * (terms + 8) * unit * 8 * (terms + 1);

describe('bn-conv', () => {
  it('folds where no padding and no border reads the shift, and else says why not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ layer: layers, bias: fc.boolean(), shifts: fc.boolean(), seed: fc.nat(1e6) }),
        async ({ layer, bias, shifts, seed }) => {
          const none = f32([layer.inputs], numbers(0, layer.inputs, 0, 0));
          const host = placedLayer(layer, bias, 'n', 'y');
          const spec: ModelSpec = {
            inputs: { x: layer.x },
            outputs: ['y'],
            initializers: {
              ...host.initializers,
              ...batchNorm(seed, layer.inputs),
              ...(shifts ? {} : { beta: none, mean: none }),
            },
            nodes: [bn('x', 'n'), host.node],
          };
          const feeds = feed({ x: layer.x });
          const reason = shifts ? shiftObstacle(layer) : undefined;
          if (reason) {
            await expectRefusal(spec, feeds, 'bn-conv', 'n_n', reason);
            return;
          }
          const { ops, log, model } = await fuseChecked(spec, feeds, tolerance(layer.terms));
          expect(ops).toEqual([layer.opType]);
          expect(log.applied[0]).toEqual({ pass: 'bn-conv', nodes: ['n_n', 'n_y'], into: 'n_y' });
          expect([...model.graph.nodes()][0]!.inputs).toHaveLength(bias || shifts ? 3 : 2);
        },
      ),
      { numRuns: 60 },
    );
  });

  const x = [1, 2, 4, 4];
  const feeds = feed({ x });
  const conv = (input: string, output: string, attributes = {}) => node('Conv', [input, 'w'], [output], attributes);
  const base: ModelSpec = {
    inputs: { x },
    outputs: ['y', 'z'],
    initializers: { w: f32([2, 2, 3, 3]), ...batchNorm(7, 2) },
    nodes: [bn('x', 'n'), conv('n', 'y'), conv('n', 'z', { auto_pad: 'VALID', dilations: [1, 1] })],
  };

  it('folds into every layer that reads the result, each with a weight of its own', async () => {
    const { ops, model } = await fuseChecked(base, feeds, tolerance(18));
    expect(ops).toEqual(['Conv', 'Conv']);
    const [first, second] = [...model.graph.nodes()].map((each) => each.input(1)!.initializer!.floats());
    expect(first).toEqual(second);
  });

  it('folds into the layer before rather than into the one behind', async () => {
    const nodes = [conv('x', 'a'), bn('a', 'n'), node('Conv', ['n', 'v'], ['y'], { pads: [1, 1, 1, 1] })];
    const initializers = { ...base.initializers!, v: f32([2, 2, 3, 3]) };
    const { log } = await fuseChecked({ ...base, nodes, initializers, outputs: ['y'] }, feeds, tolerance(200));
    expect(log.applied.map((each) => each.pass)).toEqual(['conv-bn']);
  });

  it('folds into MatMul of a matrix, which becomes Gemm', async () => {
    const spec: ModelSpec = {
      inputs: { x: [3, 2] },
      outputs: ['y'],
      initializers: { w: f32([2, 4]), ...batchNorm(7, 2) },
      nodes: [bn('x', 'n'), node('MatMul', ['n', 'w'], ['y'])],
    };
    expect((await fuseChecked(spec, feed({ x: [3, 2] }), tolerance(2))).ops).toEqual(['Gemm']);
    const cube = { ...spec, inputs: { x: [3, 2, 2] } };
    await expectRefusal(cube, feed({ x: [3, 2, 2] }), 'bn-conv', 'n_n', /has rank 3, not 2/);
  });

  it('takes auto_pad SAME for padding, unless the kernel has one tap', async () => {
    const same = (weight: number[]): ModelSpec => ({
      ...base,
      outputs: ['y'],
      initializers: { ...base.initializers!, w: f32(weight) },
      nodes: [bn('x', 'n'), conv('n', 'y', { auto_pad: 'SAME_UPPER' })],
    });
    await expectRefusal(same([2, 2, 3, 3]), feeds, 'bn-conv', 'n_n', /pads its input/);
    expect((await fuseChecked(same([2, 2, 1, 1]), feeds, tolerance(2))).ops).toEqual(['Conv']);
  });

  describe('leaves alone, with a reason,', () => {
    const refused = (change: Partial<ModelSpec>, reason: RegExp): Promise<void> =>
      expectRefusal({ ...base, ...change }, feeds, 'bn-conv', 'n_n', reason);

    it('a result that is a graph output', () => refused({ outputs: ['y', 'z', 'n'] }, /'n' is a graph output/));

    it('a result that another node reads', () =>
      refused(
        { nodes: [...base.nodes, node('Relu', ['n'], ['r'])], outputs: ['y', 'z', 'r'] },
        /also read by Relu 'n_r'/,
      ));

    it('all of it when one of the layers is padded', () =>
      refused(
        { nodes: [bn('x', 'n'), conv('n', 'y'), conv('n', 'z', { pads: [1, 1, 1, 1] })] },
        /'n_z' pads its input/,
      ));
  });
});
