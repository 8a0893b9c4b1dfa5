import { describe, expect, it } from 'vitest';
import { matchStructure } from '../../../src/compare/layers/structure.ts';
import type { Model } from '../../../src/graph/model.ts';
import { buildModel, f32, node, scalar, type ModelSpec } from '../../support/build.ts';

/** Names of the pairs: float ← other. */
const pairs = (float: Model, other: Model): Record<string, string> =>
  Object.fromEntries([...matchStructure(float, other)].map(([b, a]) => [b.name, a.name]));

/** conv → relu twice over, joined by an Add; names start with `p`. */
const branches = (p: string, order: readonly [string, string] = ['a', 'b']): ModelSpec => ({
  inputs: { x: [1, 2, 4, 4] },
  initializers: { [`${p}wa`]: f32([2, 2, 3, 3]), [`${p}wb`]: f32([2, 2, 1, 1]) },
  nodes: [
    node('Conv', ['x', `${p}wa`], [`${p}ca`], { pads: [1, 1, 1, 1] }),
    node('Relu', [`${p}ca`], [`${p}a`]),
    node('Conv', ['x', `${p}wb`], [`${p}cb`]),
    node('Sigmoid', [`${p}cb`], [`${p}b`]),
    node('Add', [`${p}${order[0]}`, `${p}${order[1]}`], ['y']),
  ],
  outputs: { y: [1, 2, 4, 4] },
});

describe('pairing by structure', () => {
  it('pairs equal graphs whatever their inner names', () => {
    expect(pairs(buildModel(branches('f')), buildModel(branches('q')))).toEqual({
      ...{ x: 'x', y: 'y', qa: 'fa', qb: 'fb', qca: 'fca', qcb: 'fcb', qwa: 'fwa', qwb: 'fwb' },
    });
  });

  it('sees through swapped operands of an Add', () => {
    const found = pairs(buildModel(branches('f')), buildModel(branches('q', ['b', 'a'])));
    expect(found).toMatchObject({ qa: 'fa', qb: 'fb', qca: 'fca' });
  });

  it('pairs what is read in the same place though made otherwise, and goes on from the inputs', () => {
    const other = branches('q');
    const nodes = other.nodes.map((each) => (each.opType === 'Sigmoid' ? { ...each, opType: 'Tanh' } : each));
    const found = pairs(buildModel(branches('f')), buildModel({ ...other, nodes }));
    expect(found).toMatchObject({ qa: 'fa', qca: 'fca', qb: 'fb', qcb: 'fcb' });
  });

  it('does not look behind nodes that differ in operator, attributes or shape of weights', () => {
    const other = branches('q');
    const initializers = { ...other.initializers, qwa: f32([2, 2, 5, 5]) };
    const nodes = other.nodes.map((each, i) =>
      i === 0 ? node('Conv', ['x', 'qwa'], ['qca'], { pads: [2, 2, 2, 2] }) : each,
    );
    const found = pairs(buildModel(branches('f')), buildModel({ ...other, initializers, nodes }));
    expect(found).not.toHaveProperty('qwa');
    expect(found).toMatchObject({ qca: 'fca', qcb: 'fcb', qwb: 'fwb' });
    const dilated = other.nodes.map((each, i) =>
      i === 0 ? node('Conv', ['x', 'qwa'], ['qca'], { pads: [2, 2, 2, 2], dilations: [2, 2] }) : each,
    );
    const float = buildModel({
      ...branches('f'),
      nodes: branches('f').nodes.map((each, i) =>
        i === 0 ? node('Conv', ['x', 'fwa'], ['fca'], { pads: [1, 1, 1, 1], dilations: [1, 1] }) : each,
      ),
    });
    expect(pairs(float, buildModel({ ...other, nodes: dilated }))).not.toHaveProperty('qwa');
  });

  it('sees through quantizers, and pairs a quantizer that took a Relu in with what was behind the Relu', () => {
    const float = buildModel({
      inputs: { x: [1, 2, 4, 4] },
      initializers: { w: f32([2, 2, 1, 1]), v: f32([2, 2, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w'], ['c']),
        node('Relu', ['c'], ['r']),
        node('Conv', ['r', 'v'], ['d']),
        node('Sin', ['d'], ['y']),
      ],
      outputs: { y: [1, 2, 4, 4] },
    });
    const quant = (last: string): Model =>
      buildModel({
        inputs: { x: [1, 2, 4, 4] },
        initializers: {
          w8: f32([2, 2, 1, 1]),
          v8: f32([2, 2, 1, 1]),
          s: scalar('float32', 0.1),
          z: scalar('uint8', 0),
        },
        nodes: [
          node('Conv', ['x', 'w8'], ['m']),
          node('QuantizeLinear', ['m', 's', 'z'], ['mq']),
          node('DequantizeLinear', ['mq', 's', 'z'], ['md']),
          node('Conv', ['md', 'v8'], ['n']),
          node(last, ['n'], ['y']),
        ],
        outputs: { y: [1, 2, 4, 4] },
      });
    // From the outputs backwards, and from the inputs forwards where the outputs differ.
    expect(pairs(float, quant('Sin'))).toMatchObject({ m: 'r', n: 'd', w8: 'w', v8: 'v' });
    expect(pairs(float, quant('Cos'))).toMatchObject({ m: 'r', n: 'd', w8: 'w', v8: 'v' });
  });
});
