import { describe, expect, it } from 'vitest';
import { createFacts, ruledOperators } from '../../src/intrinsic/facts.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, constant, f32, float, i64, node, type AttributeSpec, type Constant } from '../support/build.ts';
import { run } from './fuse.ts';

const image = [2, 4, 6, 6];

interface Example {
  /** Shapes of float inputs; default one image. */
  readonly inputs?: readonly (readonly number[])[];
  readonly constants?: readonly Constant[];
  readonly attributes?: Record<string, AttributeSpec>;
  readonly opset?: number;
}

const pool: Example = { attributes: { kernel_shape: [2, 2] } };
const perChannel = f32([4], [1, 2, 3, 4]);
const reduce = (keepdims: number): Example => ({ constants: [i64([1, 2])], attributes: { keepdims } });

/** Operators whose examples need more than one image. The runtime is the oracle. */
const examples: Record<string, readonly Example[]> = {
  PRelu: [{ constants: [f32([1])] }],
  BatchNormalization: [{ constants: [perChannel, perChannel, perChannel, perChannel] }],
  InstanceNormalization: [{ constants: [perChannel, perChannel] }],
  LayerNormalization: [{ constants: [f32([6])] }],
  GroupNormalization: [{ constants: [perChannel, perChannel], attributes: { num_groups: 2 }, opset: 21 }],
  LRN: [{ attributes: { size: 3 } }],
  CumSum: [{ constants: [constant('int64', [], [1])] }],
  MaxPool: [pool],
  AveragePool: [pool],
  LpPool: [pool],
  Pad: [{ constants: [i64([0, 0, 1, 1, 0, 0, 1, 1])] }],
  Slice: [{ constants: [i64([1]), i64([3]), i64([2])] }],
  Split: [{ attributes: { num_outputs: 2, axis: 1 } }],
  Concat: [{ inputs: [image, image], attributes: { axis: 1 } }],
  Transpose: [{ attributes: { perm: [0, 2, 3, 1] } }],
  Resize: [{ constants: [f32([0]), f32([4], [1, 1, 2, 2])] }],
  Upsample: [{ constants: [f32([4], [1, 1, 2, 2])], opset: 9 }],
  DepthToSpace: [{ attributes: { blocksize: 2 } }],
  SpaceToDepth: [{ attributes: { blocksize: 2 } }],
  Tile: [{ constants: [i64([1, 2, 1, 1])] }],
  ReverseSequence: [{ inputs: [[3, 2]], constants: [i64([1, 2])] }],
  Trilu: [{}],
  ScatterElements: [{ inputs: [[3]], constants: [i64([1]), f32([1])] }],
  ScatterND: [{ inputs: [[3]], constants: [constant('int64', [1, 1], [1]), f32([1])] }],
  GatherElements: [{ inputs: [[3]], constants: [i64([1, 2])] }],
  Conv: [{ constants: [f32([3, 4, 2, 2])] }],
  ConvTranspose: [{ constants: [f32([4, 3, 2, 2])] }],
  Gemm: [{ inputs: [[2, 3]], constants: [f32([3, 4])] }],
  MatMul: [
    { inputs: [[2, 3]], constants: [f32([3, 4])] },
    { inputs: [[5, 2, 3]], constants: [f32([3, 4])] },
    {
      inputs: [
        [2, 3],
        [5, 1, 3, 4],
      ],
    },
  ],
  ...Object.fromEntries(
    'ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp'
      .split(' ')
      .map((op) => [op, [reduce(1), reduce(0)]]),
  ),
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sum', 'Mean'].map((op) => [
      op,
      [{ inputs: [image, [6]] }, { inputs: [[], image] }, { inputs: [[1], []] }],
    ]),
  ),
  Gather: [{ constants: [constant('int64', [], [1])] }, { constants: [constant('int64', [1, 2], [1, 0])] }],
  Unsqueeze: [{ constants: [i64([0, 2])] }, { attributes: { axes: [0] }, opset: 11 }],
  Squeeze: [
    { inputs: [[1, 2, 1]], constants: [i64([0, 2])] },
    { inputs: [[1, 2]], attributes: { axes: [0] }, opset: 11 },
  ],
  Reshape: [{ constants: [i64([2, -1])] }],
  Expand: [{ inputs: [[3]], constants: [i64([2, 3])] }, { constants: [i64([6])] }],
  Cast: [{ attributes: { to: 7 } }],
  Flatten: [{}],
  Shape: [{}],
  ThresholdedRelu: [{ attributes: { alpha: float(0.5) } }],
};

describe('createFacts', () => {
  it.each([...ruledOperators])('says of %s what onnxruntime finds', async (opType) => {
    for (const { inputs = [image], constants = [], attributes = {}, opset = 20 } of examples[opType] ?? [{}]) {
      const feeds = Object.fromEntries(inputs.map((dims, i) => [`x${i}`, f32(dims) as TensorValue]));
      const names = [...Object.keys(feeds), ...constants.map((_, i) => `k${i}`)];
      // Roi, the second input of Resize, is left out.
      const read = opType === 'Resize' ? [names[0]!, '', names[2]!] : names;
      const outputs = opType === 'Split' ? ['y', 'y1'] : ['y'];
      const model = buildModel({
        opset,
        inputs: Object.fromEntries(inputs.map((dims, i) => [`x${i}`, dims])),
        initializers: Object.fromEntries(constants.map((value, i) => [`k${i}`, value])),
        nodes: [node(opType, read, outputs, attributes)],
        outputs,
      });
      const facts = createFacts();
      const results = await run(model, feeds);
      for (const name of outputs) {
        const { type, dims } = results[name]!;
        expect(facts.of(model.graph.values.get(name))).toEqual({ type, rank: dims.length });
      }
    }
  });

  it('says nothing when it does not know', () => {
    const model = buildModel({
      inputs: { x: { type: 'float32' }, z: [2, 2] },
      outputs: ['a', 'b', 'c', 'd'],
      initializers: { w: f32([2, 2]) },
      nodes: [
        node('MatMul', ['x', 'w'], ['a']),
        node('Add', ['x', 'z'], ['b']),
        node('ReduceMean', ['z'], ['c'], { keepdims: 0 }),
        node('Relu', ['z'], ['d'], {}, { domain: 'other' }),
      ],
      domains: { other: 1 },
    });
    const facts = createFacts();
    const of = (name: string) => facts.of(model.graph.values.get(name));
    expect(['a', 'b', 'c'].map((name) => of(name).rank)).toEqual([undefined, undefined, undefined]);
    expect(of('d')).toEqual({ type: undefined, rank: undefined });
    expect(facts.of(undefined)).toEqual({ type: undefined, rank: undefined });
  });
});
