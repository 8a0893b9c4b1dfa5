import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { densified } from '../../src/onnx/densified.ts';
import { attributeTypes, type ModelProto, type SparseTensorProto } from '../../src/onnx/messages.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { buildProto, constant, f32, i64, node, tensorProto, type Constant } from '../support/build.ts';

const sparse = (name: string, indices: Constant, dims: number[]): SparseTensorProto => ({
  values: tensorProto(f32([3], [1, 2, 3]), name),
  indices: tensorProto(indices),
  dims,
});
const linear = i64([1, 4, 11]);
const coordinates = constant('int64', [3, 2], [0, 1, 1, 0, 2, 3]);
const whole = Float32Array.of(0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3);

function withInitializer(indices: Constant, dims = [3, 4]): ModelProto {
  const proto = buildProto({ inputs: { x: [1, 3] }, outputs: ['y'], nodes: [node('MatMul', ['x', 'w'], ['y'])] });
  return { ...proto, graph: { ...proto.graph, sparseInitializer: [sparse('w', indices, dims)] } };
}

describe('densified', () => {
  it.each([
    ['linear indices', linear],
    ['coordinates', coordinates],
  ])('puts elements in their places: %s', (_, indices) => {
    const dense = densified(withInitializer(indices), undefined);
    expect(dense.graph!.sparseInitializer).toBeUndefined();
    const tensor = modelFromProto(dense).graph.values.get('w')!.constant!;
    expect(tensor.floats()).toEqual(whole);
    const payload = tensor.payload() as { readInto(offset: number, target: Uint8Array): void };
    const piece = new Uint8Array(7);
    payload.readInto(14, piece);
    expect(piece).toEqual(new Uint8Array(whole.buffer).slice(14, 21));
  });

  it('is what onnxruntime makes of it', async () => {
    const proto = withInitializer(linear);
    const x = { type: 'float32' as const, dims: [1, 3], data: Float32Array.of(1, 10, 100) };
    const session = await openSession(modelFromProto(densified(proto, undefined)));
    const { y } = await session.run({ x });
    await session.dispose();
    expect(y!.data).toEqual(Float32Array.of(20, 1, 0, 300));
    expect(encodeModel(proto).length).toBeGreaterThan(0);
  });

  it('reads sparse_value of Constant, in bodies too, and leaves dense models alone', () => {
    const attribute = {
      name: 'sparse_value',
      type: attributeTypes.sparseTensor,
      sparseTensor: sparse('', linear, [3, 4]),
    };
    const inner = { ...node('Constant', [], ['c']), attribute: [attribute] };
    const proto = buildProto({
      inputs: { b: { type: 'bool', dims: [] } },
      outputs: ['y'],
      nodes: [node('If', ['b'], ['y'])],
    });
    const g = { name: 'then', node: [inner], output: [{ name: 'c' }] };
    const node0 = { ...proto.graph!.node![0]!, attribute: [{ name: 'then_branch', type: attributeTypes.graph, g }] };
    const dense = densified({ ...proto, graph: { ...proto.graph, node: [node0] } }, undefined);
    const made = dense.graph!.node![0]!.attribute![0]!.g!.node![0]!.attribute![0]!;
    expect(made.name).toBe('value');
    expect(Tensor.fromProto(made.t!).floats()).toEqual(whole);
    expect(densified(proto, undefined)).toBe(proto);
  });

  it.each([
    ['an index outside', i64([0, 1, 12]), [3, 4], /index 12 is outside/],
    ['too few indices', i64([0, 1]), [3, 4], /3 elements have 2 indices/],
    ['coordinates outside', constant('int64', [3, 2], [0, 1, 1, 0, 2, 4]), [3, 4], /\[2,4\] is outside/],
  ])('refuses %s by name', (_, indices, dims, message) => {
    expect(() => densified(withInitializer(indices, dims), undefined)).toThrow(message);
    expect(() => densified(withInitializer(indices, dims), undefined)).toThrow(/'w'/);
  });
});
