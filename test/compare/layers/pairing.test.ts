import { expect, it } from 'vitest';
import { pairTensors } from '../../../src/compare/layers/pairing.ts';
import type { Model } from '../../../src/graph/model.ts';
import { modelFromProto } from '../../../src/graph/from-proto.ts';
import type { TypeProto } from '../../../src/onnx/messages.ts';
import { buildProto, f32, node } from '../../support/build.ts';

/** y = max(x·w, 0), and a sequence of it. */
function withSequence(): Model {
  const proto = buildProto({
    inputs: { x: ['n', 4] },
    initializers: { w: f32([4, 4]) },
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Relu', ['h'], ['y']),
      node('SequenceConstruct', ['h', 'y'], ['q']),
      node('SequenceInsert', ['q', 'y'], ['more']),
    ],
    outputs: ['y', 'more'],
  });
  const type: TypeProto = { sequenceType: { elemType: { tensorType: { elemType: 1 } } } };
  const output = proto.graph!.output!.map((each) => (each.name === 'more' ? { ...each, type } : each));
  return modelFromProto({ ...proto, graph: { ...proto.graph, output } });
}

it('of two float models, tensors are paired and sequences are not', () => {
  const [float, other] = [withSequence(), withSequence()];
  const { pairs } = pairTensors({ plain: float, fused: float }, { plain: other, fused: other }, '');
  expect(pairs.map(({ value, origin }) => [value.name, origin!.name])).toEqual([
    ['h', 'h'],
    ['y', 'y'],
  ]);
});
