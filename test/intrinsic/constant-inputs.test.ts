import { describe, expect, it } from 'vitest';
import { f32, node, type ModelSpec } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';

const spec: ModelSpec = {
  irVersion: 3,
  opset: 9,
  inputs: { x: [2, 3] },
  outputs: { y: [2, 2] },
  initializers: { w: f32([3, 2]), b: f32([2]) },
  initializersAsInputs: ['w', 'b'],
  nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
};

describe('constant-inputs', () => {
  it('drops the weights from the inputs and raises IR 3, which demands them there', async () => {
    const { model, log } = await fuseChecked(spec, feed({ x: [2, 3] }));
    expect(model.graph.inputs.map((value) => value.name)).toEqual(['x']);
    expect(model.graph.values.get('w')!.isConstant).toBe(true);
    expect(model.irVersion).toBe(4);
    expect(log.applied).toEqual([{ pass: 'constant-inputs', nodes: ['w', 'b'], into: undefined }]);
  });

  it('leaves them when skipped, and nothing that they feed is folded', async () => {
    const { model, log } = await fuseChecked(spec, feed({ x: [2, 3] }), 0, ['constant-inputs']);
    expect(model.graph.inputs.map((value) => value.name)).toEqual(['x', 'w', 'b']);
    expect([model.irVersion, log.applied]).toEqual([3, []]);
  });
});
