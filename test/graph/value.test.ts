import { describe, expect, it } from 'vitest';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { createFacts } from '../../src/graph/facts.ts';
import { buildModel, buildProto, node } from '../support/build.ts';

describe('Value.dims', () => {
  const spec = {
    inputs: { x: [-1, 3, '?', '?'] },
    outputs: { y: [-1, 3, '?', 'w'] },
    nodes: [node('Relu', ['x'], ['y'])],
  };

  it('reads what old exporters write for an open axis', () => {
    const { x, y } = Object.fromEntries(buildModel(spec).graph.values);
    expect([x!.dims, y!.dims]).toEqual([
      [null, 3, null, null],
      [null, 3, null, 'w'],
    ]);
    const dims = createFacts().of(x).dims!;
    expect(dims[2]).not.toBe(dims[3]);
  });

  it('leaves it as it is written', () => {
    expect(modelToProto(buildModel(spec)).graph!.input).toEqual(buildProto(spec).graph!.input);
  });
});
