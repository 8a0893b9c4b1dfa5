import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, float, i64, node, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';

const feeds = feed({ x: [2, 6, 4] });

/** Nodes that read x, each with its own constants, and a Sum of all results. */
function twins(nodes: ModelSpec['nodes'], initializers: ModelSpec['initializers'] = {}): ModelSpec {
  const made = nodes.map(({ output }) => output![0]!);
  return {
    opset: 17,
    inputs: { x: [2, 6, 4] },
    outputs: ['y'],
    initializers,
    nodes: [...nodes, node('Sum', [...made], ['y'])],
  };
}

describe('common', () => {
  it('computes once what is computed twice from the same values, whatever constants say it', async () => {
    const bounds = (name: string) => ({ [`${name}s`]: i64([1]), [`${name}e`]: i64([3]), [`${name}a`]: i64([1]) });
    const spec = twins([node('Slice', ['x', 'as', 'ae', 'aa'], ['p']), node('Slice', ['x', 'bs', 'be', 'ba'], ['q'])], {
      ...bounds('a'),
      ...bounds('b'),
    });
    const { ops, log } = await fuseChecked(spec, feeds);
    expect(ops).toEqual(['Slice', 'Sum']);
    expect(log.applied).toContainEqual({ pass: 'common', nodes: ['n_q'], into: 'n_p' });
  });

  it('follows chains, and keeps apart what differs in an attribute, an input or a graph output', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ alpha: fc.constantFrom(0.1, 0.2), twice: fc.boolean() }), { minLength: 1, maxLength: 5 }),
        async (choices) => {
          const nodes = choices.flatMap(({ alpha, twice }, i) => [
            node('LeakyRelu', ['x'], [`l${i}`], { alpha: float(alpha) }),
            node(twice ? 'Neg' : 'Exp', [`l${i}`], [`m${i}`]),
          ]);
          const distinct = new Set(choices.map(({ alpha, twice }) => `${alpha} ${twice}`)).size;
          const alphas = new Set(choices.map(({ alpha }) => alpha)).size;
          const spec = twins(nodes);
          const last = choices.map((_, i) => `m${i}`);
          const summed = { ...spec, nodes: [...nodes, node('Concat', last, ['y'], { axis: 0 })] };
          const { ops } = await fuseChecked(summed, feeds);
          expect(ops).toHaveLength(distinct + alphas + (choices.length > 1 ? 1 : 0));
        },
      ),
      { numRuns: 25 },
    );
    const outputs: ModelSpec = {
      inputs: { x: [2, 6, 4] },
      outputs: ['p', 'q'],
      nodes: [node('Relu', ['x'], ['p']), node('Relu', ['x'], ['q'])],
    };
    expect((await fuseChecked(outputs, feeds)).ops).toEqual(['Relu', 'Relu']);
  });

  it('leaves random numbers and quantizers alone', async () => {
    const quantize = (name: string) => [
      node('QuantizeLinear', ['x', 'scale'], [`${name}c`]),
      node('DequantizeLinear', [`${name}c`, 'scale'], [name]),
    ];
    const spec: ModelSpec = {
      inputs: { x: [2, 6, 4] },
      outputs: ['y'],
      initializers: { scale: f32([], [0.1]) },
      nodes: [...quantize('a'), ...quantize('b'), node('Concat', ['a', 'b'], ['y'], { axis: 0 })],
    };
    expect((await fuseChecked(spec, feeds)).ops).toHaveLength(5);
  });
});
