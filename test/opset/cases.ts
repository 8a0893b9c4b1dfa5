/**
 * Small models for the opset upgrade: every operator that has an adapter in every form it had, and the operators whose
 * changes were judged to leave nodes alone but could have been judged wrongly. Each is valid from opset `from` to `to`.
 */
import type { TensorValue } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import {
  constant,
  f32,
  float,
  floats,
  i64,
  node,
  scalar,
  body,
  type AttributeSpec,
  type Constant,
  type ModelSpec,
  type ValueSpec,
} from '../support/build.ts';

export interface Case {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly feeds: Readonly<Record<string, TensorValue>>;
  readonly spec: ModelSpec;
  /** Largest absolute difference; default none: equal bit for bit. */
  readonly tolerance?: number;
  /** The last opset at which onnxruntime has a kernel; default the newest. */
  readonly runsTo?: number;
}

type Attributes = Readonly<Record<string, AttributeSpec>>;
interface Extra {
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly feeds?: Readonly<Record<string, Constant>>;
  readonly outputs?: readonly string[];
  /** Shape as declared, where it is not the one that is fed; null leaves the rank open. */
  readonly declared?: readonly (number | string)[] | null;
  readonly tolerance?: number;
  readonly runsTo?: number;
}

/** One node that reads x, further fed inputs and constants, in this order. */
function one(
  opType: string,
  name: string,
  [from, to]: [number, number],
  dims: readonly number[],
  attributes: Attributes = {},
  extra: Extra = {},
): Case {
  const outputs = extra.outputs ?? ['y'];
  const others = [...Object.keys(extra.feeds ?? {}), ...Object.keys(extra.constants ?? {})].filter(
    (key) => key !== 'x',
  );
  const nodes = [node(opType, ['x', ...others], outputs, attributes)];
  return many(`${opType}${name && `, ${name}`}`, [from, to], dims, nodes, { ...extra, outputs });
}

function many(
  name: string,
  [from, to]: [number, number],
  dims: readonly number[],
  nodes: readonly NodeProto[],
  extra: Extra = {},
): Case {
  const feeds: Record<string, Constant> = { x: f32(dims), ...extra.feeds };
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([key, value]): [string, ValueSpec] => {
      const shape = key === 'x' && extra.declared !== undefined ? extra.declared : value.dims;
      return [key, { type: value.type, ...(shape && { dims: shape }) }];
    }),
  );
  const outputs = (extra.outputs ?? ['y']).filter((each) => each !== '');
  const spec: ModelSpec = { inputs, outputs, nodes, ...(extra.constants && { initializers: extra.constants }) };
  const { tolerance, runsTo } = extra;
  return {
    name,
    from,
    to,
    feeds: feeds as Record<string, TensorValue>,
    spec,
    ...(tolerance && { tolerance }),
    ...(runsTo && { runsTo }),
  };
}

const newest = 20;
const image = [1, 2, 5, 7];
const statistics = {
  scale: f32([2], [0.5, 2]),
  bias: f32([2], [1, -1]),
  mean: f32([2], [0.1, -0.2]),
  variance: f32([2], [0.7, 1.3]),
};
const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'];
const positive = f32(
  [2, 3, 4],
  Array.from({ length: 24 }, (_, i) => 0.1 + i / 7),
);
const sorted = (size: number): number[] => Array.from({ length: size }, (_, i) => ((i * 37) % size) - size / 3);

/** The adapted operators. */
export const adaptedCases: readonly Case[] = [
  one('Squeeze', 'axes', [7, 12], [1, 3, 1, 2], { axes: [0, 2] }),
  one('Squeeze', 'negative axis', [11, 12], [1, 3, 1, 2], { axes: [-2] }),
  one('Unsqueeze', 'axes', [7, 12], [3, 2], { axes: [0, 3] }),
  one('Split', 'lengths', [7, 12], [2, 7], { axis: 1, split: [3, 4] }, { outputs: ['y', 'z'] }),
  one('Split', 'equal parts', [7, 17], [6, 2], {}, { outputs: ['y', 'z', 'w'] }),
  one('ReduceSum', 'axes', [7, 12], [2, 3, 4], { axes: [0, 2], keepdims: 0 }),
  ...reductions.map((op) =>
    one(`Reduce${op}`, 'axes', [7, 17], [2, 3, 4], { axes: [1], keepdims: 1 }, { feeds: { x: positive } }),
  ),
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op) => [
    one(op, 'default axis', [7, 12], [2, 3, 4]),
    one(op, 'matrix', [7, 12], [3, 5]),
    one(op, 'first axis', [7, 12], [2, 3, 4], { axis: 0 }),
    one(op, 'last axis', [7, 12], [2, 3, 4], { axis: 2 }),
    one(op, 'one pixel', [7, 12], [2, 5, 1, 1], { axis: 1 }),
    one(op, 'free axes', [7, 12], [2, 3, 4], { axis: 1 }, { declared: ['n', 'c', 'w'] }),
    one(op, 'unknown rank', [7, 12], [2, 3, 4], { axis: 1 }, { declared: null }),
    one(op, 'negative axis', [11, 12], [2, 3, 4], { axis: -2 }, { declared: null }),
    one(op, 'last axis from behind', [11, 12], [2, 3, 4], { axis: -1 }, { declared: null }),
  ]),
  one('Slice', 'axes', [7, 9], [4, 6, 3], { axes: [1, 0], starts: [1, 0], ends: [-1, 2] }),
  one('Slice', 'no axes', [7, 9], [4, 6], { starts: [1, 2], ends: [3, 2 ** 31] }),
  one('Pad', 'zeros', [7, 10], [1, 2, 3, 3], { pads: [0, 0, 1, 2, 0, 0, 0, 1] }),
  one('Pad', 'a value', [7, 10], [2, 3], { pads: [1, 0, 0, 2], value: float(-1.5) }),
  one('Pad', 'reflect', [7, 10], [1, 1, 4, 4], { pads: [0, 0, 2, 1, 0, 0, 1, 2], mode: 'reflect' }),
  one('Clip', 'both', [7, 10], [3, 5], { min: float(-0.25), max: float(0.5) }),
  one('Clip', 'min', [7, 10], [3, 5], { min: float(0) }),
  one('Clip', 'none', [7, 10], [4], {}, { feeds: { x: f32([4], [-Infinity, -1, 1, Infinity]) } }),
  many(
    'Clip, type from upstream',
    [7, 10],
    [3, 5],
    [node('Identity', ['x'], ['h']), node('Clip', ['h'], ['c'], { max: float(0.1) }), node('Identity', ['c'], ['y'])],
  ),
  ...[1, 2, 1.6].flatMap((factor) => [
    one('Upsample', `nearest x ${factor}`, [7, 8], image, { mode: 'nearest', scales: floats(1, 1, factor, 3) }),
    one('Upsample', `linear x ${factor}`, [7, 8], image, { mode: 'linear', scales: floats(1, 1, factor, 2) }),
    one(
      'Upsample',
      `nearest x ${factor} as input`,
      [9, 9],
      image,
      { mode: 'nearest' },
      { constants: { s: f32([4], [1, 1, factor, 3]) } },
    ),
    one(
      'Upsample',
      `linear x ${factor} as input`,
      [9, 9],
      image,
      { mode: 'linear' },
      { constants: { s: f32([4], [1, 1, factor, 2]) } },
    ),
  ]),
  one('Upsample', 'computed scales', [9, 9], image, {}, { feeds: { s: f32([4], [1, 1, 2.3, 1]) } }),
  ...[
    [2, 3],
    [1.7, 1],
    [0.6, 0.5],
    [0.7, 1.7],
  ].flatMap(([h, w]) => [
    one('Resize', `nearest ${h} x ${w}`, [10, 10], image, {}, { constants: { s: f32([4], [1, 1, h!, w!]) } }),
    one('Resize', `nearest ${h} x ${w}, computed`, [10, 10], image, {}, { feeds: { s: f32([4], [1, 1, h!, w!]) } }),
    one(
      'Resize',
      `linear ${h} x ${w}`,
      [10, 10],
      image,
      { mode: 'linear' },
      { constants: { s: f32([4], [1, 1, h!, w!]) } },
    ),
  ]),
  ...resizes([11, 12]),
  one(
    'Resize',
    'sizes',
    [11, 12],
    image,
    { mode: 'linear' },
    { constants: { roi: f32([0]), s: f32([0]), sizes: i64([1, 2, 8, 3]) } },
  ),
  ...[1.6, 0.6, 2, 3.7].map((factor) =>
    one(
      'Resize',
      `tf_half_pixel_for_nn x ${factor}`,
      [11, 12],
      [1, 1, 9, 11],
      { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
      { constants: { roi: f32([0]), s: f32([4], [1, 1, factor, factor]) } },
    ),
  ),
  one('TopK', 'k', [7, 9], [3, 6], { k: 2 }, { outputs: ['y', 'z'] }),
  one('Dropout', 'ratio', [7, 11], [3, 4], { ratio: float(0.3) }),
  many(
    'Dropout, a mask nobody reads',
    [7, 11],
    [3, 4],
    [node('Dropout', ['x'], ['h', 'mask']), node('Relu', ['h'], ['y'])],
  ),
  one(
    'BatchNormalization',
    'spatial',
    [7, 8],
    [2, 2, 3, 3],
    { spatial: 1, epsilon: float(0.01) },
    { constants: statistics },
  ),
  one(
    'Scatter',
    '',
    [9, 10],
    [3, 4],
    { axis: 1 },
    { constants: { i: constant('int64', [2, 2], [1, 0, 3, 2]), u: f32([2, 2]) } },
  ),
  ...[null, [2, 6, 3], ['n', 'c', 'w']].map((declared) =>
    one(
      'GroupNormalization',
      `declared ${declared}`,
      [18, 20],
      [2, 6, 3],
      { num_groups: 3, epsilon: float(0.01) },
      { declared, constants: { scale: f32([3], [1, 2, 3]), bias: f32([3], [0, -1, 1]) } },
    ),
  ),
  one('DFT', 'default axis', [17, 19], [2, 4, 1]),
  one('DFT', 'axis', [17, 19], [2, 3, 4, 1], { axis: 2, onesided: 1 }),
  ...['bilinear', 'nearest', 'bicubic'].map((mode) =>
    one('GridSample', mode, [16, 19], [1, 1, 4, 5], { mode }, { feeds: { grid: f32([1, 3, 2, 2]) } }),
  ),
  one(
    'GridSample',
    'default mode',
    [16, 19],
    [1, 1, 4, 5],
    { align_corners: 1 },
    { feeds: { grid: f32([1, 3, 2, 2]) } },
  ),
  one(
    'RoiAlign',
    '',
    [10, 15],
    [1, 2, 6, 6],
    { output_height: 2, output_width: 3 },
    { runsTo: 21, constants: { rois: f32([2, 4], [0, 0, 3, 3, 1, 2, 5, 4]), i: i64([0, 0]) } },
  ),
];

const pool = { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 0, 1] };
/** From opset 19 on another kernel of onnxruntime averages numbers below 1, with another rounding. */
const averaged = { tolerance: 2 ** -23 };
const recurrent = (gates: number) => ({ w: f32([1, gates * 2, 3]), r: f32([1, gates * 2, 2]) });

/** Operators that changed without an adapter, or in a form that needs none. */
export const unchangedCases: readonly Case[] = [
  one('Squeeze', 'no axes', [7, newest], [1, 3, 1, 2]),
  one('ReduceSum', 'all', [7, newest], [2, 3, 4], { keepdims: 1 }),
  ...reductions.map((op) =>
    one(`Reduce${op}`, 'all', [7, newest], [2, 3, 4], { keepdims: 0 }, { feeds: { x: positive } }),
  ),
  one(
    'Split',
    'lengths as input',
    [13, newest],
    [2, 7],
    { axis: -1 },
    { outputs: ['y', 'z'], constants: { s: i64([5, 2]) } },
  ),
  one('BatchNormalization', '', [7, newest], [2, 2, 3, 3], {}, { constants: statistics }),
  ...resizes([13, newest]),
  one('AveragePool', '', [7, newest], image, pool, averaged),
  one('AveragePool', 'padding counted', [7, newest], image, { ...pool, count_include_pad: 1 }, averaged),
  one('AveragePool', 'ceil', [10, newest], image, { ...pool, ceil_mode: 1 }, averaged),
  one(
    'AveragePool',
    'same',
    [7, newest],
    image,
    { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' },
    averaged,
  ),
  one('MaxPool', '', [7, newest], image, pool),
  one('MaxPool', 'indices', [8, newest], image, pool, { outputs: ['y', 'i'] }),
  one('MaxPool', 'ceil, dilated', [10, newest], image, {
    kernel_shape: [2, 2],
    strides: [2, 2],
    ceil_mode: 1,
    dilations: [2, 1],
  }),
  one('LpPool', '', [7, newest], image, { kernel_shape: [2, 2], p: 2 }),
  one('GlobalAveragePool', '', [7, newest], image),
  one('Conv', '', [7, newest], image, { pads: [1, 1, 1, 1], strides: [2, 1] }, { constants: { w: f32([3, 2, 3, 3]) } }),
  one('ConvTranspose', '', [7, newest], image, { strides: [2, 2] }, { constants: { w: f32([2, 3, 3, 3]) } }),
  one(
    'ConvTranspose',
    'same',
    [7, newest],
    image,
    { strides: [2, 2], auto_pad: 'SAME_UPPER' },
    { constants: { w: f32([2, 3, 3, 3]) } },
  ),
  one('Flatten', '', [7, newest], [2, 3, 4], { axis: 2 }),
  one(
    'Gemm',
    '',
    [7, newest],
    [2, 3],
    { transB: 1, alpha: float(0.5) },
    { constants: { b: f32([4, 3]), c: f32([4]) } },
  ),
  one('DepthToSpace', '', [7, newest], [1, 8, 2, 3], { blocksize: 2 }),
  one('SpaceToDepth', '', [7, newest], [1, 2, 4, 6], { blocksize: 2 }),
  one('ArgMax', '', [7, newest], [3, 5], { axis: 1 }, { feeds: { x: f32([3, 5], sorted(15)) } }),
  one('Gather', '', [7, newest], [3, 5], { axis: 1 }, { constants: { i: i64([4, 0, 0]) } }),
  one('Concat', '', [7, newest], [3, 5], { axis: 1 }, { constants: { b: f32([3, 2]) } }),
  one('Sum', '', [7, newest], [3, 5], {}, { constants: { b: f32([3, 5]) } }),
  one('Max', '', [8, newest], [3, 5], {}, { constants: { b: f32([5]) } }),
  one(
    'Pow',
    '',
    [7, newest],
    [2, 3],
    {},
    { feeds: { x: f32([2, 3], [1, 2, 3, 4, 5, 6]) }, constants: { b: f32([1], [0.5]) } },
  ),
  one('Mod', 'fmod', [10, newest], [2, 3], { fmod: 1 }, { constants: { b: f32([1], [0.3]) } }),
  one('PRelu', '', [7, newest], [2, 3], {}, { constants: { b: f32([3]) } }),
  one('Selu', '', [7, newest], [2, 3]),
  one('HardSigmoid', '', [7, newest], [2, 3]),
  one('LRN', '', [7, newest], image, { size: 3 }),
  one('InstanceNormalization', '', [7, newest], image, {}, { constants: { s: f32([2]), b: f32([2]) } }),
  one('LpNormalization', '', [7, newest], [2, 3]),
  one('MeanVarianceNormalization', '', [9, newest], image),
  one('Expand', '', [8, newest], [3, 1], {}, { constants: { s: i64([2, 3, 4]) } }),
  one('Reshape', 'a kept axis', [7, newest], [2, 3, 4], {}, { constants: { s: i64([0, -1]) } }),
  one('Shape', '', [7, newest], [2, 3, 4]),
  one('Tile', '', [7, newest], [2, 3], {}, { constants: { s: i64([1, 2]) } }),
  one('CumSum', '', [11, newest], [2, 3], {}, { constants: { axis: scalar('int64', 1) } }),
  one(
    'OneHot',
    'negative and beyond',
    [9, newest],
    [4],
    {},
    {
      feeds: { x: constant('int64', [4], [0, 3, -1, 9]) },
      constants: { depth: scalar('int64', 5), v: f32([2], [-1, 2]) },
    },
  ),
  one('EyeLike', '', [9, newest], [3, 4], { k: 1 }),
  one('ConstantOfShape', '', [9, newest], [2], { value: f32([1], [1.5]) }, { feeds: { x: i64([2, 3]) } }),
  one(
    'ScatterElements',
    '',
    [11, newest],
    [3, 4],
    { axis: 1 },
    { constants: { i: constant('int64', [2, 2], [1, 0, 3, 2]), u: f32([2, 2]) } },
  ),
  one(
    'ScatterND',
    '',
    [11, newest],
    [4, 2],
    {},
    { constants: { i: constant('int64', [2, 1], [3, 1]), u: f32([2, 2]) } },
  ),
  one('GatherND', '', [11, newest], [4, 2], {}, { constants: { i: constant('int64', [2, 1], [3, 1]) } }),
  one(
    'GatherElements',
    '',
    [11, newest],
    [3, 4],
    { axis: 1 },
    { constants: { i: constant('int64', [3, 1], [3, 0, 1]) } },
  ),
  one(
    'BitShift',
    '',
    [11, newest],
    [3],
    { direction: 'LEFT' },
    { feeds: { x: constant('uint8', [3], [1, 2, 3]) }, constants: { b: constant('uint8', [3], [1, 2, 3]) } },
  ),
  one('Pad', 'inputs', [11, newest], [2, 3], {}, { constants: { p: i64([0, 1, 1, 0]), v: scalar('float32', 2) } }),
  one(
    'Clip',
    'inputs',
    [11, newest],
    [2, 3],
    {},
    { constants: { a: scalar('float32', -0.1), b: scalar('float32', 0.2) } },
  ),
  one(
    'Slice',
    'inputs',
    [10, newest],
    [4, 5],
    {},
    { constants: { s: i64([3, 0]), e: i64([0, 4]), a: i64([0, 1]), t: i64([-1, 2]) } },
  ),
  one('TopK', 'inputs', [10, newest], [3, 6], {}, { outputs: ['y', 'z'], constants: { k: i64([2]) } }),
  one(
    'NonMaxSuppression',
    '',
    [10, newest],
    [1, 3, 4],
    {},
    {
      feeds: { x: f32([1, 3, 4], [0, 0, 1, 1, 0, 0, 1, 1.1, 2, 2, 3, 3]) },
      constants: { s: f32([1, 1, 3], [0.9, 0.8, 0.7]), n: i64([3]), iou: f32([1], [0.5]), t: f32([1], [0.1]) },
    },
  ),
  one(
    'QuantizeLinear',
    '',
    [10, newest],
    [2, 3],
    {},
    { constants: { s: scalar('float32', 0.01), z: scalar('uint8', 128) } },
  ),
  one(
    'DequantizeLinear',
    '',
    [10, newest],
    [2, 3],
    {},
    {
      feeds: { x: constant('uint8', [2, 3], [0, 1, 2, 128, 254, 255]) },
      constants: { s: scalar('float32', 0.01), z: scalar('uint8', 128) },
    },
  ),
  one(
    'QuantizeLinear',
    'per channel',
    [13, newest],
    [2, 3],
    { axis: 0 },
    { constants: { s: f32([2], [0.01, 0.02]), z: constant('int8', [2], [0, 0]) } },
  ),
  one('RNN', '', [7, newest], [4, 1, 3], { hidden_size: 2 }, { outputs: ['y', 'h'], constants: recurrent(1) }),
  one('GRU', '', [7, newest], [4, 1, 3], { hidden_size: 2 }, { outputs: ['y', 'h'], constants: recurrent(3) }),
  one('LSTM', '', [7, newest], [4, 1, 3], { hidden_size: 2 }, { outputs: ['y', 'h'], constants: recurrent(4) }),
  ...['Greater', 'Less'].map((op) => one(op, '', [7, newest], [3], {}, { feeds: { b: f32([3], [1, -1, 0]) } })),
  one('Equal', '', [7, newest], [3], {}, { feeds: { x: i64([1, 2, 3]), b: i64([1, 0, 3]) } }),
  one('Cast', 'to an integer', [7, newest], [3], { to: 7 }, { feeds: { x: f32([3], [1.7, -1.7, 0]) } }),
  one('Cast', 'to bool', [7, newest], [3], { to: 9 }, { feeds: { x: f32([3], [1.7, -1.7, 0]) } }),
  ...['Erf', 'Sign', 'IsNaN'].map((op) => one(op, '', [9, newest], [2, 3])),
  ...['Acos', 'Sin', 'Tanh', 'Abs', 'Softplus', 'Elu', 'LeakyRelu'].map((op) => one(op, '', [7, newest], [2, 3])),
  one('Where', '', [9, newest], [3], {}, { feeds: { x: constant('bool', [3], [1, 0, 1]), a: f32([3]), b: f32([1]) } }),
  many('Loop', [7, newest], [2], [loop()], { constants: { n: scalar('int64', 3), go: constant('bool', [], [1]) } }),
  many('Scan', [9, newest], [3, 2], [scan()], { outputs: ['last', 'y'], constants: { zero: f32([2], [0, 0]) } }),
  many('LayerNormalization of onnxruntime', [12, 16], [2, 4], [node('LayerNormalization', ['x', 's', 'b'], ['y'])], {
    constants: { s: f32([4]), b: f32([4]) },
  }),
];

/** Every way of placing pixels, on axes that grow and shrink. */
function resizes(range: [number, number]): Case[] {
  const constants = { roi: f32([0]), s: f32([4], [1, 1, 1.6, 0.6]) };
  return ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'].flatMap((coordinates) =>
    ['nearest', 'linear', 'cubic'].map((mode) => {
      const attributes = { mode, coordinate_transformation_mode: coordinates };
      return one('Resize', `${mode}, ${coordinates}`, range, image, attributes, { constants });
    }),
  );
}

/** x doubled n times. */
function loop(): NodeProto {
  const state = { i: { type: 'int64', dims: [] }, on: { type: 'bool', dims: [] }, h: [2] } as const;
  const inner = body({
    inputs: state,
    nodes: [node('Add', ['h', 'h'], ['next']), node('Identity', ['on'], ['more'])],
    outputs: { more: { type: 'bool', dims: [] }, next: [2] },
  });
  return node('Loop', ['n', 'go', 'x'], ['y'], { body: inner });
}

/** Running sums over the first axis. */
function scan(): NodeProto {
  const inner = body({
    inputs: { sum: [2], row: [2] },
    nodes: [node('Add', ['sum', 'row'], ['total']), node('Identity', ['total'], ['each'])],
    outputs: { total: [2], each: [2] },
  });
  return node('Scan', ['zero', 'x'], ['last', 'y'], { body: inner, num_scan_inputs: 1 });
}
