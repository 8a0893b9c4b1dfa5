import { describe, expect, it } from 'vitest';
import { createFacts, ruledOperators } from '../../src/graph/facts.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import {
  buildModel,
  constant,
  f32,
  float,
  i64,
  node,
  scalar,
  type AttributeSpec,
  type Constant,
} from '../support/build.ts';
import { run } from '../intrinsic/fuse.ts';

const image = [2, 4, 6, 6];

interface Example {
  /** Shapes of float inputs; default one image. */
  readonly inputs?: readonly (readonly number[])[];
  readonly constants?: readonly Constant[];
  readonly attributes?: Record<string, AttributeSpec>;
  readonly opset?: number;
  /** A first input of booleans. */
  readonly condition?: boolean;
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
  ...Object.fromEntries(
    ['Not', 'BitwiseNot', 'IsNaN', 'IsInf'].map((op) => [
      op,
      op === 'Not'
        ? [{ constants: [constant('bool', [2], [1, 0])], inputs: [] }]
        : op === 'BitwiseNot'
          ? [{ inputs: [], constants: [i64([1, 2])] }]
          : [{}],
    ]),
  ),
  ...Object.fromEntries(
    ['And', 'Or', 'Xor'].map((op) => [
      op,
      [{ inputs: [], constants: [constant('bool', [2], [1, 0]), constant('bool', [3, 1], [1, 0, 1])] }],
    ]),
  ),
  ...Object.fromEntries(
    ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Mod', 'Pow'].map((op) => [
      op,
      [{ inputs: [image, [6, 1]], ...(op === 'Mod' && { attributes: { fmod: 1 } }) }],
    ]),
  ),
  BitShift: [
    {
      inputs: [],
      constants: [constant('uint8', [2], [1, 2]), constant('uint8', [3, 1], [1, 2, 1])],
      attributes: { direction: 'LEFT' },
    },
  ],
  Where: [{ inputs: [image, [6]], constants: [], condition: true }],
  CastLike: [{ constants: [i64([1])] }],
  QuantizeLinear: [{ constants: [scalar('float32', 0.1), scalar('uint8', 3)] }],
  DequantizeLinear: [
    {
      inputs: [],
      constants: [constant('uint8', [2, 3], [1, 2, 3, 4, 5, 6]), scalar('float32', 0.1), scalar('uint8', 3)],
    },
  ],
  RMSNormalization: [{ constants: [f32([6])], opset: 23 }],
  Swish: [{ opset: 24 }],
  LpNormalization: [{}],
  MatMulInteger: [
    { inputs: [], constants: [constant('uint8', [2, 3], [1, 2, 3, 4, 5, 6]), constant('uint8', [3, 1], [1, 2, 3])] },
  ],
  ConvInteger: [{ inputs: [], constants: [constant('uint8', [1, 1, 4, 4]), constant('uint8', [2, 1, 3, 3])] }],
  ...Object.fromEntries(
    ['ArgMax', 'ArgMin'].map((op) => [op, [{ attributes: { axis: 2, keepdims: 0 } }, { attributes: { axis: -1 } }]]),
  ),
  TopK: [{ constants: [i64([2])], attributes: { axis: 2 } }],
  OneHot: [{ inputs: [], constants: [i64([1, 0, 2]), i64([4]), f32([2], [0, 1])] }],
  GridSample: [{ inputs: [image, [2, 3, 5, 2]] }],
  EyeLike: [{ inputs: [[3, 4]] }],
  GatherND: [{ constants: [constant('int64', [3, 2], [0, 1, 1, 0, 1, 2])] }],
  Scatter: [{ inputs: [[3]], constants: [i64([1]), f32([1])], opset: 10 }],
  NonMaxSuppression: [
    {
      inputs: [
        [1, 3, 4],
        [1, 1, 3],
      ],
    },
  ],
  ConstantOfShape: [{ inputs: [], constants: [i64([2, 3])] }],
  Range: [{ inputs: [], constants: [scalar('int64', 1), scalar('int64', 8), scalar('int64', 3)] }],
};

/** Whose result depends on what is in the tensors. */
const dataDependent = new Set(['NonZero', 'NonMaxSuppression']);

/** What no runtime here has a kernel for. */
const noKernel = new Set(['RandomNormalLike', 'RandomUniformLike']);

describe('createFacts', () => {
  it.each([...ruledOperators].filter((opType) => !noKernel.has(opType)))(
    'says of %s what onnxruntime finds, of fixed and of open axes',
    async (opType) => {
      for (const { inputs = [image], constants = [], attributes = {}, opset = 20, condition } of examples[opType] ?? [
        {},
      ]) {
        const feeds = Object.fromEntries(inputs.map((dims, i) => [`x${i}`, f32(dims) as TensorValue]));
        const names = [...Object.keys(feeds), ...constants.map((_, i) => `k${i}`)];
        // Roi, the second input of Resize, is left out.
        const read = opType === 'Resize' ? [names[0]!, '', names[2]!] : condition ? ['c', ...names] : names;
        const outputs = opType === 'Split' || opType === 'TopK' ? ['y', 'y1'] : ['y'];
        const build = (open: boolean): Model =>
          buildModel({
            opset,
            inputs: Object.fromEntries(
              inputs.map((dims, i) => [`x${i}`, open ? dims.map((_, axis) => `d${i}_${axis}`) : dims]),
            ),
            initializers: {
              ...Object.fromEntries(constants.map((value, i) => [`k${i}`, value])),
              ...(condition && { c: constant('bool', [6], [1, 0, 1, 0, 1, 0]) }),
            },
            nodes: [node(opType, read, outputs, attributes)],
            outputs,
          });
        const results = await run(build(false), feeds);
        for (const open of [false, true]) {
          const model = build(open);
          const facts = createFacts();
          for (const name of outputs) {
            const { type, dims } = results[name]!;
            const fact = facts.of(model.graph.values.get(name));
            expect({ type: fact.type, rank: fact.rank }).toEqual({ type, rank: dims.length });
            fact.dims!.forEach((size, axis) => {
              if (typeof size === 'number') return expect(size).toBe(dims[axis]);
              expect(open || dataDependent.has(opType)).toBe(true);
              const input = /^x(\d)$/.exec(size.of.name);
              if (input) expect(inputs[Number(input[1])]![size.axis]).toBe(dims[axis]);
            });
          }
        }
      }
    },
  );

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
    expect(['a', 'b', 'c'].map((name) => of(name).rank)).toEqual([undefined, undefined, 0]);
    expect(of('d').type).toBeUndefined();
    expect(of('d').rank).toBeUndefined();
    expect(facts.of(undefined).dims).toBeUndefined();
  });
});
