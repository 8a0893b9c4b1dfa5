/** Every operator that qdq knows, between two int8 neighbours: the cases for QDQ and for QOperator. */
import type { Model } from '../../src/graph/model.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, constant, f32, float, i64, node, scalar, type Constant } from '../support/build.ts';
import type { Feeds } from './support.ts';

export interface Case {
  /** Nodes from `a` (and `b`), both [1, 8, 6, 6] and in int8, to `z`. */
  readonly nodes: readonly NodeProto[];
  readonly initializers?: Readonly<Record<string, Constant>>;
  /** Operator types of which at least one must be in the optimized graph. */
  readonly kernel?: readonly string[];
  /** Operator types that must not be left in it (default: the case's own type). */
  readonly gone?: readonly string[];
  /** Channels of z, when not 8. */
  readonly channels?: number;
  readonly opset?: number;
  /** Outputs of the model besides y. */
  readonly outputs?: readonly string[];
  /** onnxruntime has no integer kernel: a float island between DequantizeLinear and QuantizeLinear. */
  readonly island?: true;
}

export const zNode = (type: string, inputs: string[], attributes = {}): NodeProto =>
  node(type, inputs, ['z'], attributes);

/** Less regular than f32's own pattern, whose long sums cancel. */
function noise(length: number): number[] {
  let state = 1;
  return Array.from({ length }, () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5);
}

export const cases: Record<string, Case> = {
  Relu: { nodes: [zNode('Relu', ['s'])], initializers: {}, gone: ['Relu'] },
  Clip: {
    nodes: [zNode('Clip', ['s', 'low', 'high'])],
    initializers: { low: scalar('float32', 0), high: scalar('float32', 1) },
  },
  LeakyRelu: { nodes: [zNode('LeakyRelu', ['a'], { alpha: float(0.1) })], kernel: ['QLinearLeakyRelu'] },
  Sigmoid: { nodes: [zNode('Sigmoid', ['a'])], kernel: ['QLinearSigmoid'] },
  Softmax: { nodes: [zNode('Softmax', ['a'], { axis: 1 })], kernel: ['QLinearSoftmax'] },
  HardSigmoid: {
    nodes: [zNode('HardSigmoid', ['a'], { alpha: float(1 / 6), beta: float(0.5) })],
    island: true,
    gone: [],
  },
  HardSwish: { nodes: [zNode('HardSwish', ['a'])], island: true, gone: [] },
  Tanh: { nodes: [zNode('Tanh', ['a'])], island: true, gone: [] },
  PRelu: {
    nodes: [zNode('PRelu', ['a', 'slope'])],
    initializers: { slope: f32([8, 1, 1]) },
    island: true,
    gone: [],
  },
  Sub: { nodes: [zNode('Sub', ['a', 'b'])], island: true, gone: [] },
  Div: {
    nodes: [node('Sigmoid', ['b'], ['t']), node('Add', ['t', 'one'], ['u']), zNode('Div', ['a', 'u'])],
    initializers: { one: scalar('float32', 1) },
    island: true,
    gone: [],
  },
  Where: {
    nodes: [zNode('Where', ['mask', 'a', 'b'])],
    initializers: {
      mask: constant(
        'bool',
        [1, 1, 6, 6],
        Array.from({ length: 36 }, (_, i) => (i % 3) & 1),
      ),
    },
    kernel: ['QLinearWhere'],
  },
  Add: { nodes: [zNode('Add', ['a', 'b'])], kernel: ['QLinearAdd'] },
  Mul: { nodes: [zNode('Mul', ['a', 'b'])], kernel: ['QLinearMul'] },
  'Add of a constant': {
    nodes: [zNode('Add', ['a', 'k'])],
    initializers: { k: f32([8, 1, 1]) },
    kernel: ['QLinearAdd'],
    gone: ['Add'],
  },
  Concat: { nodes: [zNode('Concat', ['a', 'b'], { axis: 1 })], kernel: ['QLinearConcat'], channels: 16 },
  MaxPool: { nodes: [zNode('MaxPool', ['a'], { kernel_shape: [2, 2] })], kernel: ['MaxPool', 'NhwcMaxPool'], gone: [] },
  AveragePool: { nodes: [zNode('AveragePool', ['a'], { kernel_shape: [2, 2] })], kernel: ['QLinearAveragePool'] },
  GlobalAveragePool: { nodes: [zNode('GlobalAveragePool', ['a'])], kernel: ['QLinearGlobalAveragePool'] },
  ReduceMean: { nodes: [zNode('ReduceMean', ['a'], { axes: [2], keepdims: 1 })], island: true, gone: [] },
  Resize: {
    nodes: [zNode('Resize', ['a', '', 'scales'], { mode: 'nearest' })],
    initializers: { scales: f32([4], [1, 1, 2, 2]) },
    kernel: ['Resize'],
    gone: [],
  },
  Upsample: {
    nodes: [zNode('Upsample', ['a', 'scales'])],
    initializers: { scales: f32([4], [1, 1, 2, 2]) },
    opset: 9,
    island: true,
    gone: [],
  },
  Reshape: {
    nodes: [zNode('Reshape', ['a', 'shape'])],
    initializers: { shape: i64([1, 8, 4, 9]) },
    kernel: ['Reshape'],
    gone: [],
  },
  Flatten: {
    nodes: [node('Flatten', ['a'], ['flat']), zNode('Reshape', ['flat', 'shape'])],
    initializers: { shape: i64([1, 8, 6, 6]) },
    kernel: ['Flatten', 'Reshape'],
    gone: [],
  },
  Transpose: { nodes: [zNode('Transpose', ['a'], { perm: [0, 1, 3, 2] })], kernel: ['Transpose'], gone: [] },
  Squeeze: {
    nodes: [node('Unsqueeze', ['a', 'axis'], ['u']), zNode('Squeeze', ['u', 'axis'])],
    initializers: { axis: i64([0]) },
    gone: [],
  },
  Unsqueeze: {
    nodes: [
      node('Unsqueeze', ['a', 'axis'], ['u']),
      node('Transpose', ['u'], ['t'], { perm: [0, 1, 2, 4, 3] }),
      zNode('Squeeze', ['t', 'axis']),
    ],
    initializers: { axis: i64([0]) },
    kernel: ['Unsqueeze'],
    gone: [],
  },
  Slice: {
    nodes: [zNode('Slice', ['a', 'starts', 'ends', 'axes'])],
    initializers: { starts: i64([1]), ends: i64([5]), axes: i64([2]) },
    kernel: ['Slice'],
    gone: [],
  },
  Split: {
    nodes: [node('Split', ['a', 'sizes'], ['p', 'q'], { axis: 1 }), zNode('Concat', ['q', 'p'], { axis: 1 })],
    initializers: { sizes: i64([3, 5]) },
    kernel: ['Split'],
    gone: ['Concat'],
  },
  Expand: {
    nodes: [node('GlobalAveragePool', ['a'], ['g']), zNode('Expand', ['g', 'shape'])],
    initializers: { shape: i64([1, 8, 6, 6]) },
    kernel: ['Expand'],
    gone: ['GlobalAveragePool'],
  },
  Gather: {
    nodes: [zNode('Gather', ['a', 'index'], { axis: 1 })],
    initializers: { index: i64([7, 6, 5, 4, 3, 2, 1, 0]) },
    kernel: ['Gather'],
    gone: [],
  },
  Pad: { nodes: [zNode('Pad', ['a', 'pads'])], initializers: { pads: i64([0, 0, 1, 1, 0, 0, 1, 1]) }, gone: [] },
  Conv: {
    nodes: [zNode('Conv', ['a', 'w'], { pads: [1, 1, 1, 1] })],
    initializers: { w: f32([8, 8, 3, 3]) },
    kernel: ['QLinearConv'],
  },
  ConvTranspose: {
    nodes: [zNode('ConvTranspose', ['a', 'w'])],
    initializers: { w: f32([8, 8, 2, 2]) },
    island: true,
    gone: [],
  },
  MatMul: { nodes: [zNode('MatMul', ['a', 'w'])], initializers: { w: f32([6, 6]) }, kernel: ['QLinearMatMul'] },
  'MatMul of two activations': { nodes: [zNode('MatMul', ['a', 'b'])], kernel: ['QLinearMatMul'], gone: ['MatMul'] },
  Gemm: {
    nodes: [
      node('Flatten', ['a'], ['flat']),
      node('Gemm', ['flat', 'w', 'c'], ['g'], { transB: 1 }),
      zNode('Reshape', ['g', 'shape']),
    ],
    initializers: { w: f32([72, 288], noise(72 * 288)), c: f32([72]), shape: i64([1, 8, 3, 3]) },
    kernel: ['QGemm'],
  },
  'Gemm of a transposed activation': {
    nodes: [
      node('Flatten', ['a'], ['flat'], { axis: 2 }),
      node('Gemm', ['flat', 'w', 'c'], ['g'], { transA: 1 }),
      zNode('Reshape', ['g', 'shape']),
    ],
    initializers: { w: f32([8, 8]), c: f32([8]), shape: i64([1, 8, 6, 6]) },
    kernel: ['QGemm'],
    gone: ['Gemm'],
  },
};

/** x → Conv → a, x → Conv → b, a + b → s; … → z → Conv → y. */
export function build({ nodes, initializers, channels = 8, opset = 17, outputs = [] }: Case): Model {
  const uses = (name: string): boolean => nodes.some((n) => n.input!.includes(name));
  const s = uses('s') ? [node('Add', ['a', 'b'], ['s'])] : [];
  const b = uses('b') || uses('s') ? [node('Conv', ['x', 'wb'], ['b'], { pads: [1, 1, 1, 1] })] : [];
  return buildModel({
    opset,
    inputs: { x: [1, 3, 6, 6] },
    outputs: ['y', ...outputs],
    initializers: {
      wa: f32([8, 3, 3, 3]),
      ba: f32([8]),
      ...(b.length > 0 ? { wb: f32([8, 3, 3, 3]) } : {}),
      wz: f32([4, channels, 1, 1]),
      bz: f32([4]),
      ...initializers,
    },
    nodes: [
      node('Conv', ['x', 'wa', 'ba'], ['a'], { pads: [1, 1, 1, 1] }),
      ...b,
      ...s,
      ...nodes,
      node('Conv', ['z', 'wz', 'bz'], ['y']),
    ],
  });
}

export const x: Feeds = {
  x: {
    type: 'float32',
    dims: [1, 3, 6, 6],
    data: Float32Array.from({ length: 108 }, (_, i) => Math.sin(i * 1.7) + 0.3 * Math.cos(i * 0.37)),
  },
};
