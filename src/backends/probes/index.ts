/**
 * What an onnxruntime might run in few bits, one node each. A kernel that is registered may still refuse a type or a shape, so
 * every probe is loaded and run; the expected result says whether it also computes the right thing.
 */
import type { DataTypeName } from '../../onnx/data-types.ts';
import { ProbeGraph, type ProbeModel } from './probe.ts';

/** One kernel that is tried. */
export interface Probe {
  /** Operator and types: "QLinearConv u8 x s8". */
  readonly id: string;
  /** The `--format` that needs it. */
  readonly format: 'qdq' | 'qoperator' | 'dynamic' | 'weight-only' | 'fp16';
  build(): ProbeModel;
  /** Every element of the output, with the tolerance of its arithmetic; undefined where running is all that is asked. */
  readonly expected?: { readonly value: number; readonly tolerance: number };
}

const microsoft = 'com.microsoft';
const short = (type: DataTypeName): string => type.replace('uint', 'u').replace('int', 's');

const pairs: readonly (readonly [DataTypeName, DataTypeName])[] = [
  ['uint8', 'int8'],
  ['uint8', 'uint8'],
  ['int8', 'int8'],
  ['int8', 'uint8'],
];

/** 4x4 ones, weights of 1, scales of 1: sums of 8 products. */
function convolution([x, w]: readonly [DataTypeName, DataTypeName]): Probe {
  return {
    id: `QLinearConv ${short(x)} x ${short(w)}`,
    format: 'qoperator',
    expected: { value: 8, tolerance: 0 },
    build() {
      const g = new ProbeGraph(13);
      const [one, zx, zw] = [g.constant('float32', []), g.constant(x, [], 0), g.constant(w, [], 0)];
      const inputs = [g.input(x, [1, 8, 4, 4]), one, zx, g.constant(w, [8, 8, 1, 1]), one, zw, one, zx];
      return g.build(g.node('QLinearConv', inputs), x, 4);
    },
  };
}

function product([x, w]: readonly [DataTypeName, DataTypeName]): Probe {
  return {
    id: `QLinearMatMul ${short(x)} x ${short(w)}`,
    format: 'qoperator',
    expected: { value: 8, tolerance: 0 },
    build() {
      const g = new ProbeGraph(13);
      const [one, zx, zw] = [g.constant('float32', []), g.constant(x, [], 0), g.constant(w, [], 0)];
      const inputs = [g.input(x, [4, 8]), one, zx, g.constant(w, [8, 8]), one, zw, one, zx];
      return g.build(g.node('QLinearMatMul', inputs), x, 2);
    },
  };
}

function integers(op: 'MatMulInteger' | 'ConvInteger', [x, w]: readonly [DataTypeName, DataTypeName]): Probe {
  const conv = op === 'ConvInteger';
  return {
    id: `${op} ${short(x)} x ${short(w)}`,
    format: 'dynamic',
    expected: { value: 8, tolerance: 0 },
    build() {
      const g = new ProbeGraph(13);
      const inputs = [g.input(x, conv ? [1, 8, 4, 4] : [4, 8]), g.constant(w, conv ? [8, 8, 1, 1] : [8, 8])];
      return g.build(g.node(op, inputs), 'int32', conv ? 4 : 2);
    },
  };
}

/** Two tensors of ones: (1 op 1) in u8 and s8. */
function joined(op: 'QLinearAdd' | 'QLinearMul', type: DataTypeName): Probe {
  return {
    id: `${op} ${short(type)}`,
    format: 'qoperator',
    expected: { value: op === 'QLinearAdd' ? 2 : 1, tolerance: 0 },
    build() {
      const g = new ProbeGraph(13);
      const [one, zero] = [g.constant('float32', []), g.constant(type, [], 0)];
      const [a, b] = [g.input(type, [1, 8, 4, 4]), g.input(type, [1, 8, 4, 4])];
      return g.build(g.node(op, [a, one, zero, b, one, zero, one, zero], {}, microsoft), type, 4);
    },
  };
}

function unary(op: string, type: DataTypeName, attributes: Record<string, number> = {}): Probe {
  return {
    id: `${op} ${short(type)}`,
    format: 'qoperator',
    build() {
      const g = new ProbeGraph(13);
      const [one, zero] = [g.constant('float32', []), g.constant(type, [], 0)];
      const x = g.input(type, [1, 8, 4, 4]);
      return g.build(g.node(op, [x, one, zero, one, zero], attributes, microsoft), type, 4);
    },
  };
}

/** x -> QuantizeLinear -> DequantizeLinear. */
function roundTrip(type: DataTypeName): Probe {
  return {
    id: `QuantizeLinear/DequantizeLinear ${short(type)}`,
    format: 'qdq',
    expected: { value: 1, tolerance: 0 },
    build() {
      const g = new ProbeGraph(21);
      const [one, zero] = [g.constant('float32', []), g.constant(type, [], 0)];
      const codes = g.node('QuantizeLinear', [g.input('float32', [4, 8]), one, zero]);
      return g.build(g.node('DequantizeLinear', [codes, one, zero]), 'float32', 2);
    },
  };
}

/** Codes one above the zero point of 2^(bits-1), scale 1: sums of 32. */
function nBits(bits: 2 | 4 | 8, accuracy: 0 | 4): Probe {
  const code = { 2: 0b11111111, 4: 0x99, 8: 0x81 }[bits];
  return {
    id: `MatMulNBits ${bits} bits, accuracy level ${accuracy}`,
    format: 'weight-only',
    // Level 4 quantizes the activations to 8 bits: 32 products, each within half a step of 1/127.
    expected: { value: 32, tolerance: accuracy === 4 ? 0.2 : 1e-4 },
    build() {
      const g = new ProbeGraph(21);
      const inputs = [
        g.input('float32', [1, 32]),
        g.constant('uint8', [16, 1, (32 * bits) / 8], code),
        g.constant('float32', [16]),
      ];
      const attributes = { K: 32, N: 16, bits, block_size: 32, accuracy_level: accuracy };
      return g.build(g.node('MatMulNBits', inputs, attributes, microsoft), 'float32', 2);
    },
  };
}

function halfPrecision(
  op: string,
  type: DataTypeName,
  build: (g: ProbeGraph) => ReturnType<ProbeGraph['node']>,
  rank: number,
): Probe {
  return {
    id: `${op} ${type}`,
    format: 'fp16',
    build() {
      const g = new ProbeGraph(21);
      return g.build(build(g), type, rank);
    },
  };
}

const lstm = (type: DataTypeName): Probe => ({
  id: `DynamicQuantizeLSTM ${short(type)}`,
  format: 'dynamic',
  build() {
    const [inputs, hidden] = [8, 8];
    const g = new ProbeGraph(13);
    const [scale, zero] = [g.constant('float32', [1]), g.constant(type, [1], 0)];
    const operands = [
      g.input('float32', [3, 1, inputs]),
      g.constant(type, [1, inputs, 4 * hidden]),
      g.constant(type, [1, hidden, 4 * hidden]),
      ...[null, null, null, null, null],
      ...[scale, zero, scale, zero],
    ];
    return g.build(g.node('DynamicQuantizeLSTM', operands, { hidden_size: hidden }, microsoft), 'float32', 4);
  },
});

const dynamicMatMul = (type: DataTypeName): Probe => ({
  id: `DynamicQuantizeMatMul ${short(type)}`,
  format: 'dynamic',
  // 8 products of 1, each within half a step of 1/255.
  expected: { value: 8, tolerance: 0.02 },
  build() {
    const g = new ProbeGraph(13);
    const operands = [
      g.input('float32', [4, 8]),
      g.constant(type, [8, 8]),
      g.constant('float32', []),
      g.constant(type, [], 0),
    ];
    return g.build(g.node('DynamicQuantizeMatMul', operands, {}, microsoft), 'float32', 2);
  },
});

const gather: Probe = {
  id: 'GatherBlockQuantized u4',
  format: 'weight-only',
  build() {
    const g = new ProbeGraph(21);
    const operands = [g.constant('uint4', [8, 32], 0x99), g.input('int64', [2], 3), g.constant('float32', [8, 1])];
    return g.build(g.node('GatherBlockQuantized', operands, { block_size: 32 }, microsoft), 'float32', 2);
  },
};

const gemm: Probe = {
  id: 'QGemm u8 x s8',
  format: 'qoperator',
  build() {
    const g = new ProbeGraph(13);
    const one = g.constant('float32', []);
    const operands = [
      ...[g.input('uint8', [4, 8]), one, g.constant('uint8', [], 0)],
      ...[g.constant('int8', [8, 8]), one, g.constant('int8', [], 0)],
      ...[g.constant('int32', [8], 0), one, g.constant('uint8', [], 0)],
    ];
    return g.build(g.node('QGemm', operands, {}, microsoft), 'uint8', 2);
  },
};

/** Every probe; to add one, list it here. */
export const probes: readonly Probe[] = [
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint4', 'int4', 'float8e4m3fn'] as const).map(roundTrip),
  ...pairs.map(convolution),
  ...pairs.map(product),
  gemm,
  ...(['uint8', 'int8'] as const).flatMap((type) => [
    joined('QLinearAdd', type),
    joined('QLinearMul', type),
    unary('QLinearSigmoid', type),
    unary('QLinearLeakyRelu', type),
    unary('QLinearGlobalAveragePool', type, { channels_last: 0 }),
    unary('QLinearSoftmax', type, { axis: 1, opset: 13 }),
  ]),
  ...pairs.map((pair) => integers('MatMulInteger', pair)),
  ...pairs.map((pair) => integers('ConvInteger', pair)),
  ...(['uint8', 'int8'] as const).flatMap((type) => [dynamicMatMul(type), lstm(type)]),
  ...([2, 4, 8] as const).flatMap((bits) => ([0, 4] as const).map((level) => nBits(bits, level))),
  gather,
  ...(['float16', 'bfloat16'] as const).flatMap((type) => [
    halfPrecision('MatMul', type, (g) => g.node('MatMul', [g.input(type, [4, 8]), g.constant(type, [8, 8])]), 2),
    halfPrecision(
      'Conv',
      type,
      (g) => g.node('Conv', [g.input(type, [1, 8, 4, 4]), g.constant(type, [8, 8, 1, 1])]),
      4,
    ),
    halfPrecision('Add', type, (g) => g.node('Add', [g.input(type, [4, 8]), g.input(type, [4, 8])]), 2),
    halfPrecision('Softmax', type, (g) => g.node('Softmax', [g.input(type, [4, 8])]), 2),
  ]),
];
