import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { attributeTypes } from '../../src/onnx/messages.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import {
  body,
  buildModel,
  buildProto,
  constant,
  f32,
  float,
  floats,
  node,
  tensorProto,
  i64,
  type ModelSpec,
} from '../support/build.ts';
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

describe('constant-nodes', () => {
  it.each([
    ['value', f32([2, 1], [5, 6]), { type: 'float32', dims: [2, 1], data: [5, 6] }],
    ['value_float', float(1.5), { type: 'float32', dims: [], data: [1.5] }],
    ['value_floats', floats(1.5, 2), { type: 'float32', dims: [2], data: [1.5, 2] }],
    ['value_int', 7, { type: 'int64', dims: [], data: [7n] }],
    ['value_ints', [7, -8], { type: 'int64', dims: [2], data: [7n, -8n] }],
  ])('stores %s as an initializer', async (key, attribute, expected) => {
    const { model, ops, log } = await fuseChecked(
      {
        inputs: { x: [1] },
        outputs: ['c', 'y'],
        nodes: [node('Constant', [], ['c'], { [key]: attribute }), node('Relu', ['x'], ['y'])],
      },
      feed({ x: [1] }),
    );
    expect(ops).toEqual(['Relu']);
    expect(log.applied).toEqual([{ pass: 'constant-nodes', nodes: ['n_c'], into: undefined }]);
    const tensor = model.graph.values.get('c')!.initializer!;
    expect([tensor.type.name, tensor.dims, [...tensor.data()]]).toEqual([expected.type, expected.dims, expected.data]);
  });

  it.each([
    ['value_string', 'one', [], ['one']],
    ['value_strings', ['one', 'two'], [2], ['one', 'two']],
  ])('stores %s as an initializer', async (key, attribute, dims, strings) => {
    const model = buildModel({ outputs: ['c'], nodes: [node('Constant', [], ['c'], { [key]: attribute })] });
    await fuse(model, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    const tensor = model.graph.values.get('c')!.initializer!;
    expect([tensor.dims, tensor.strings()]).toEqual([dims, strings]);
  });

  it('refuses sparse tensors', async () => {
    const proto = buildProto({ inputs: { x: [3] }, outputs: ['y'], nodes: [node('Add', ['x', 'c'], ['y'])] });
    const sparseTensor = { values: tensorProto(f32([1], [2]), 'c'), indices: tensorProto(i64([1]), ''), dims: [3] };
    const attribute = [{ name: 'sparse_value', type: attributeTypes.sparseTensor, sparseTensor }];
    proto.graph!.node!.unshift({ opType: 'Constant', name: 'n_c', output: ['c'], attribute });
    const model = modelFromProto(proto);
    const log = await fuse(model, { executor: createExecutor() });
    expect(log).toEqual({
      applied: [],
      refused: [{ pass: 'constant-nodes', node: 'n_c', reason: 'its value is a sparse tensor' }],
    });
  });

  it('works in body graphs, also where the constant is what the body returns', async () => {
    const branch = (output: string, value: number) =>
      body({ outputs: [output], nodes: [node('Constant', [], [output], { value_floats: floats(value) })] });
    const nodes = [node('If', ['c'], ['y'], { then_branch: branch('t', 1), else_branch: branch('e', 2) })];
    for (const choice of [0, 1]) {
      const c = constant('bool', [], [choice]) as TensorValue;
      const { model, outputs } = await fuseChecked(
        { inputs: { c: { type: 'bool', dims: [] } }, outputs: ['y'], nodes },
        { c },
      );
      expect(model.graph.nodeCount).toBe(1);
      expect([...model.allNodes()]).toHaveLength(1);
      expect([...outputs['y']!.data]).toEqual([choice === 1 ? 1 : 2]);
    }
  });
});
