/** The rules against onnxruntime itself, one node between quantizers at a time: a reason is told where it did not fuse, and only there. */
import { describe, expect, it } from 'vitest';
import { findPlacement } from '../../src/compare/placement.ts';
import { findRegions } from '../../src/compare/regions.ts';
import { buildModel, constant, node, scalar, type Constant } from '../support/build.ts';

type Codes = 'uint8' | 'int8' | 'uint16';

interface Case {
  readonly op: string;
  readonly attributes?: Parameters<typeof node>[3];
  /** Computed inputs, each behind quantizers. */
  readonly operands?: number;
  /** Constant inputs after them; null is left out. */
  readonly constants?: readonly (Constant | null)[];
  readonly outputs?: number;
  readonly type?: Codes;
  readonly opset?: number;
  /** A limiter between the node and its quantizer, with its bounds. */
  readonly limiter?: readonly [op: string, ...bounds: number[]];
  /** Scale and zero point behind the node; those before it are 0.02 and the middle. */
  readonly after?: readonly [scale: number, zeroPoint: number];
}

const middle: Readonly<Record<Codes, number>> = { uint8: 128, int8: 0, uint16: 32768 };
const int64 = (...values: number[]): Constant => constant('int64', [values.length], values);
const float32 = (...values: number[]): Constant => constant('float32', [values.length], values);

function modelOf({ op, attributes = {}, operands = 1, constants = [], outputs = 1, type = 'uint8', ...more }: Case) {
  const { opset, limiter, after = [0.02, middle[type]] } = more;
  const initializers: Record<string, Constant> = {
    s: scalar('float32', 0.02),
    z: scalar(type, middle[type]),
    t: scalar('float32', after[0]),
    u: scalar(type, after[1]),
  };
  const nodes = [];
  const names = Array.from({ length: operands }, (_, i) => `x${i}`);
  for (const name of names)
    nodes.push(
      node('QuantizeLinear', [name, 's', 'z'], [`${name}q`]),
      node('DequantizeLinear', [`${name}q`, 's', 'z'], [`${name}d`]),
    );
  const rest = constants.map((value, i) => {
    if (value) initializers[`c${i}`] = value;
    return value ? `c${i}` : '';
  });
  let made = Array.from({ length: outputs }, (_, i) => `y${i}`);
  nodes.push(node(op, [...names.map((name) => `${name}d`), ...rest], made, attributes, { name: 'it' }));
  if (limiter) {
    const [kind, ...bounds] = limiter;
    bounds.forEach((bound, i) => (initializers[`b${i}`] = scalar('float32', bound)));
    nodes.push(node(kind, ['y0', ...bounds.map((_, i) => `b${i}`)], ['limited'], {}, { name: 'limit' }));
    made = ['limited'];
  }
  for (const name of made)
    nodes.push(
      node('QuantizeLinear', [name, 't', 'u'], [`${name}q`]),
      node('DequantizeLinear', [`${name}q`, 't', 'u'], [`${name}d`]),
    );
  return buildModel({
    inputs: Object.fromEntries(names.map((name) => [name, [1, 4, 8, 8]])),
    outputs: made.map((name) => `${name}d`),
    initializers,
    nodes,
    ...(opset !== undefined && { opset }),
  });
}

/** The reason for the node that was not fused; undefined when it was. Fails where rules and runtime disagree. */
async function reasonOf(spec: Case): Promise<string | undefined> {
  const model = modelOf(spec);
  const { nodes } = await findPlacement(model, model, 'a model of one node');
  const row = nodes.find(({ name }) => name === 'it');
  const region = findRegions(model).quantized.find((each) => each.node.name === 'it')!;
  expect({ fused: row === undefined }).toEqual({ fused: region.obstacle === undefined });
  return row?.reason;
}

const moving: readonly Case[] = [
  { op: 'Reshape', constants: [int64(1, -1)] },
  { op: 'Transpose', attributes: { perm: [0, 2, 3, 1] } },
  { op: 'Flatten' },
  { op: 'Squeeze', constants: [int64(0)] },
  { op: 'Unsqueeze', constants: [int64(0)] },
  { op: 'Slice', constants: [int64(0, 0), int64(1, 2)] },
  { op: 'Gather', constants: [int64(0, 1)], attributes: { axis: 1 } },
  { op: 'Expand', constants: [int64(2, 4, 8, 8)] },
  { op: 'Tile', constants: [int64(1, 2, 1, 1)] },
  { op: 'Split', attributes: { axis: 1 }, outputs: 2 },
  { op: 'MaxPool', attributes: { kernel_shape: [2, 2] } },
  { op: 'Resize', attributes: { mode: 'nearest' }, constants: [null, float32(1, 1, 2, 2)] },
  { op: 'DepthToSpace', attributes: { blocksize: 2 } },
  { op: 'ReduceMax' },
  { op: 'ReduceMin' },
];

const calculating: readonly Case[] = [
  { op: 'Add', operands: 2 },
  { op: 'Mul', operands: 2 },
  { op: 'MatMul', operands: 2 },
  { op: 'Concat', operands: 2, attributes: { axis: 1 } },
  { op: 'Softmax' },
  { op: 'Sigmoid' },
  { op: 'LeakyRelu' },
  { op: 'AveragePool', attributes: { kernel_shape: [2, 2] } },
  { op: 'GlobalAveragePool' },
];

describe('what onnxruntime fuses between quantizers', () => {
  it.each(moving)('$op: what moves codes, where both sides have the same parameters', async (spec) => {
    expect(await reasonOf(spec)).toBeUndefined();
    expect(await reasonOf({ ...spec, after: [0.03, 100] })).toMatch(
      /same parameters on both sides: scale 0.02, zero point 128 before it, scale 0.03, zero point 100 after it$/,
    );
  });

  it.each(calculating)('$op: what has an integer kernel, for codes of 8 bits', async (spec) => {
    for (const type of ['uint8', 'int8'] as const) {
      expect(await reasonOf({ ...spec, type })).toBeUndefined();
      expect(await reasonOf({ ...spec, type, after: [0.03, 100] })).toBeUndefined();
    }
    expect(await reasonOf({ ...spec, type: 'uint16', opset: 21 })).toContain('its codes have 16 bits');
  });

  it.each(['Tanh', 'Relu', 'Elu', 'Exp', 'Sqrt', 'Neg', 'Abs', 'LogSoftmax', 'HardSigmoid', 'Erf', 'ReduceMean'])(
    '%s: nothing else',
    async (op) => expect(await reasonOf({ op })).toContain(`onnxruntime has no int8 ${op} kernel`),
  );

  it('Sub, Div, Min, Pow: not every operator of two operands', async () => {
    for (const op of ['Sub', 'Div', 'Min', 'Pow'])
      expect(await reasonOf({ op, operands: 2 })).toContain(`int8 ${op} kernel`);
  });

  it('has rules of their own for Pad, Resize and MaxPool', async () => {
    expect(await reasonOf({ op: 'Pad', constants: [int64(0, 0, 1, 1, 0, 0, 1, 1)] })).toContain(
      'the model itself pads them',
    );
    const resize = { op: 'Resize', constants: [null, float32(1, 1, 2, 2)] };
    expect(await reasonOf({ ...resize, attributes: { mode: 'linear' } })).toContain('in mode linear it calculates');
    const pool = { op: 'MaxPool', attributes: { kernel_shape: [2, 2] } };
    expect(await reasonOf({ ...pool, opset: 11 })).toContain('from opset 12 on, and the model has 11');
    expect(await reasonOf({ ...pool, type: 'uint16', opset: 21 })).toContain('16 bits');
  });

  it('drops a limiter where the codes end anyway, and says where they do not', async () => {
    const add: Case = { op: 'Add', operands: 2 };
    expect(await reasonOf({ ...add, limiter: ['Relu'], after: [0.02, 0] })).toBeUndefined();
    expect(await reasonOf({ ...add, limiter: ['Relu'], after: [0.02, 3] })).toContain('not the least code');
    expect(await reasonOf({ ...add, limiter: ['Clip', 0, 6], after: [6 / 255, 0] })).toBeUndefined();
    expect(await reasonOf({ ...add, limiter: ['Clip', 0, 6], after: [0.03, 0] })).toContain(
      "'limit' cuts at 0 and 6, the codes after it reach from 0 to 7.65",
    );
  });
});
