/** A few layers of usual size, in float and in the few-bit forms of onnxruntime: what int8 wins on this machine. */
import type { DataTypeName } from '../../onnx/data-types.ts';
import { ProbeGraph, type ProbeModel } from './probe.ts';

/** A layer in float and in one few-bit form. */
export interface SpeedCase {
  /** Layer and form: "Conv 3x3 64 -> 64, 28x28: QLinearConv u8 x s8". */
  readonly layer: string;
  readonly form: string;
  readonly float: () => ProbeModel;
  readonly quantized: () => ProbeModel;
}

const microsoft = 'com.microsoft';
const pads = { pads: [1, 1, 1, 1] };
const image = [1, 64, 28, 28];

function floatConv(): ProbeModel {
  const g = new ProbeGraph(13);
  return g.build(
    g.node('Conv', [g.input('float32', image), g.constant('float32', [64, 64, 3, 3])], pads),
    'float32',
    4,
  );
}

/** The convolution that reads and writes codes, as between int8 neighbours. */
const intConv = (x: DataTypeName, w: DataTypeName) => (): ProbeModel => {
  const g = new ProbeGraph(13);
  const [one, zx, zw] = [g.constant('float32', []), g.constant(x, [], 0), g.constant(w, [], 0)];
  const inputs = [g.input(x, image), one, zx, g.constant(w, [64, 64, 3, 3]), one, zw, one, zx];
  return g.build(g.node('QLinearConv', inputs, pads), x, 4);
};

const floatMatMul = (rows: number) => (): ProbeModel => {
  const g = new ProbeGraph(13);
  return g.build(
    g.node('MatMul', [g.input('float32', [rows, 1024]), g.constant('float32', [1024, 1024])]),
    'float32',
    2,
  );
};

const dynamicMatMul = (rows: number) => (): ProbeModel => {
  const g = new ProbeGraph(13);
  const weight = [g.constant('int8', [1024, 1024]), g.constant('float32', []), g.constant('int8', [], 0)];
  return g.build(
    g.node('DynamicQuantizeMatMul', [g.input('float32', [rows, 1024]), ...weight], {}, microsoft),
    'float32',
    2,
  );
};

const blockMatMul = (rows: number) => (): ProbeModel => {
  const g = new ProbeGraph(21);
  const weight = [g.constant('uint8', [1024, 8, 64], 0x99), g.constant('float32', [1024 * 8])];
  const attributes = { K: 1024, N: 1024, bits: 4, block_size: 128, accuracy_level: 4 };
  return g.build(
    g.node('MatMulNBits', [g.input('float32', [rows, 1024]), ...weight], attributes, microsoft),
    'float32',
    2,
  );
};

const conv = 'Conv 3x3, 64 -> 64, 28x28';

/** Every pair that `qdq backends` times. */
export const speedCases: readonly SpeedCase[] = [
  { layer: conv, form: 'QLinearConv u8 x s8', float: floatConv, quantized: intConv('uint8', 'int8') },
  { layer: conv, form: 'QLinearConv u8 x u8', float: floatConv, quantized: intConv('uint8', 'uint8') },
  { layer: conv, form: 'QLinearConv s8 x s8', float: floatConv, quantized: intConv('int8', 'int8') },
  ...[128, 1].flatMap((rows) => [
    {
      layer: `MatMul ${rows} x 1024 x 1024`,
      form: 'DynamicQuantizeMatMul s8',
      float: floatMatMul(rows),
      quantized: dynamicMatMul(rows),
    },
    {
      layer: `MatMul ${rows} x 1024 x 1024`,
      form: 'MatMulNBits 4 bits, block 128',
      float: floatMatMul(rows),
      quantized: blockMatMul(rows),
    },
  ]),
];
