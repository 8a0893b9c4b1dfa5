/** The fake quantizer's gradients against their closed form, computed in float64 from codes rounded in float32. */
import { describe, expect, it } from 'vitest';
import { dataType, type DataTypeName } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, constant, node, type Constant } from '../support/build.ts';
import { uniform } from './gradients/case.ts';
import { appendLoss, feedsOf, gradientsOf, weightsOf } from './gradients/check.ts';
import { differentiate } from '../../src/qat/differentiate.ts';
import { traceShapes } from '../../src/qat/tracing.ts';

interface Quantizer {
  readonly type: DataTypeName;
  readonly zero: readonly number[];
  readonly scale: readonly number[];
  /** Limits of the type, or those of a Clip. */
  readonly limits: readonly [number, number];
  readonly clip?: boolean;
  /** Of dims [2, 3, 5]; default 1, where there is one scale per channel. */
  readonly axis?: number;
}

const dims = [2, 3, 5];
/** Wide enough to leave every range, with elements on the exact bounds of a scale of 0.5. */
const x = { dims, data: [...uniform(dims, -4, 4).data.slice(0, 26), 3.5, -4, 3.75, 7.5] };

const half = [0.5];
const perChannel = [0.5, 0.25, 0.125];
const quantizers: Record<string, Quantizer> = {
  u8: { type: 'uint8', zero: [128], scale: [0.02], limits: [0, 255] },
  s8: { type: 'int8', zero: [0], scale: [0.02], limits: [-128, 127] },
  's8 of 4 bits': { type: 'int8', zero: [0], scale: half, limits: [-7, 7], clip: true },
  'u8 of 4 bits': { type: 'uint8', zero: [8], scale: half, limits: [0, 15], clip: true },
  u16: { type: 'uint16', zero: [32768], scale: [1e-4], limits: [0, 65535] },
  s16: { type: 'int16', zero: [0], scale: [1e-4], limits: [-32768, 32767] },
  u4: { type: 'uint4', zero: [8], scale: half, limits: [0, 15] },
  s4: { type: 'int4', zero: [0], scale: half, limits: [-8, 7] },
  's4 per channel': { type: 'int4', zero: [0, 0, 0], scale: perChannel, limits: [-8, 7] },
  's8 per channel': { type: 'int8', zero: [0, 0, 0], scale: [0.02, 0.01, 0.03], limits: [-128, 127] },
  'u8 per channel with zero points': {
    type: 'uint8',
    zero: [100, 128, 0],
    scale: [0.02, 0.01, 0.03],
    limits: [0, 255],
  },
  's8 of 4 bits per channel': { type: 'int8', zero: [0, 0, 0], scale: perChannel, limits: [-7, 7], clip: true },
  's8 along the last axis': {
    type: 'int8',
    zero: [0, 0, 0, 0, 0],
    scale: [0.02, 0.01, 0.03, 0.015, 0.025],
    limits: [-128, 127],
    axis: 2,
  },
};

/** Sub-byte constants are packed, low bits first. */
function codes(type: DataTypeName, values: readonly number[], shape: readonly number[]): Constant {
  if (dataType(type).bits >= 8) return constant(type, shape, values);
  const bytes = new Uint8Array(Math.ceil(values.length / 2));
  values.forEach((value, i) => (bytes[i >> 1]! |= (value & 15) << (4 * (i & 1))));
  return { type, dims: shape, data: bytes };
}

/** @param twins the DequantizeLinear has a scale input of its own */
function modelWith(
  { type, zero, limits, clip, axis = 1, scale }: Quantizer,
  twins = false,
): ReturnType<typeof buildModel> {
  const shape = scale.length === 1 ? [] : [scale.length];
  const attributes = scale.length === 1 ? {} : { axis };
  const nodes: NodeProto[] = [node('QuantizeLinear', ['x', 's', 'zero'], ['q'], attributes)];
  if (clip) nodes.push(node('Clip', ['q', 'low', 'high'], ['c']));
  nodes.push(node('DequantizeLinear', [clip ? 'c' : 'q', twins ? 's2' : 's', 'zero'], ['z'], attributes));
  return buildModel({
    opset: 21,
    irVersion: 10,
    inputs: { x: dims, s: shape, ...(twins ? { s2: shape } : {}) },
    outputs: ['z'],
    nodes,
    initializers: {
      zero: codes(type, zero, shape),
      ...(clip ? { low: codes(type, [limits[0]], []), high: codes(type, [limits[1]], []) } : {}),
    },
  });
}

/** Straight-through and LSQ, element by element. */
function closedForm({ zero, scale, limits: [low, high], axis = 1 }: Quantizer) {
  const weights = weightsOf(dims);
  const dx = new Float64Array(x.data.length);
  const inside = new Float64Array(scale.length);
  const levels = new Float64Array(scale.length);
  x.data.forEach((exact, i) => {
    const value = Math.fround(exact);
    const channel = scale.length === 1 ? 0 : axis === 1 ? Math.floor(i / 5) % 3 : i % 5;
    const s = Math.fround(scale[channel]!);
    const z = zero[channel]!;
    const quotient = Math.fround(value / s);
    const floor = Math.floor(quotient);
    const even = floor % 2 === 0 ? floor : floor + 1;
    const rounded = quotient - floor === 0.5 ? even : Math.round(quotient);
    const code = Math.min(Math.max(rounded + z, low), high);
    const passes = value >= Math.fround((low - z) * s) && value <= Math.fround((high - z) * s);
    if (passes) dx[i] = weights[i]!;
    if (passes) inside[channel]! -= (weights[i]! * value) / s;
    levels[channel]! += weights[i]! * (code - z);
  });
  return { dx, inside, levels, ds: levels.map((sum, channel) => sum + inside[channel]!) };
}

const near = (actual: ArrayLike<number | bigint>, expected: Float64Array): void => {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  // Sums of float32 products of numbers up to 255 (65535) times the rounding of float32.
  expected.forEach((value, i) => expect(Math.abs(Number(actual[i]) - value)).toBeLessThanOrEqual(1e-5 * largest));
};

describe('fake quantizers', () => {
  it.each(Object.entries(quantizers))('%s', async (_, each) => {
    const scale = { dims: each.scale.length === 1 ? [] : [each.scale.length], data: each.scale };
    const gradients = await gradientsOf(modelWith(each), feedsOf({ x, s: scale }), ['x', 's']);
    const expected = closedForm(each);
    near(gradients['x']!.data, expected.dx);
    near(gradients['s']!.data, expected.ds);
  });

  it('split the gradient between two scales of their own', async () => {
    const each = quantizers['s4 per channel']!;
    const scale = { dims: [3], data: each.scale };
    const gradients = await gradientsOf(modelWith(each, true), feedsOf({ x, s: scale, s2: scale }), ['x', 's', 's2']);
    const expected = closedForm(each);
    near(gradients['x']!.data, expected.dx);
    near(gradients['s']!.data, expected.inside);
    near(gradients['s2']!.data, expected.levels);
  });

  it('let the exact bounds pass and nothing beyond', async () => {
    const each = quantizers['s4']!;
    const bounds = { dims: [2, 3, 5], data: [-4, 3.5, -4.0001, 3.5001, ...Array.from({ length: 26 }, () => 0)] };
    const gradients = await gradientsOf(modelWith(each), feedsOf({ x: bounds, s: { dims: [], data: half } }), ['x']);
    expect(Array.from(gradients['x']!.data as Float32Array, (value) => value !== 0).slice(0, 5)).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it('are refused when the codes take a way around', async () => {
    const model = buildModel({
      inputs: { x: [2, 3] },
      outputs: ['z'],
      nodes: [
        node('QuantizeLinear', ['x', 's', 'zero'], ['q']),
        node('Transpose', ['q'], ['t']),
        node('DequantizeLinear', ['t', 's', 'zero'], ['z']),
      ],
      initializers: { s: constant('float32', [], [0.5]), zero: constant('int8', [], [0]) },
    });
    const feeds = feedsOf({ x: uniform([2, 3]) });
    await traceShapes(model, feeds);
    const loss = appendLoss(model);
    await traceShapes(model, feeds);
    expect(() => differentiate(model.graph, loss, [model.graph.values.get('x')!])).toThrow(
      /'n_z' \(DequantizeLinear\): between it and 'n_q'/,
    );
  });

  it('learn the scale of stored codes', async () => {
    const model = buildModel({
      inputs: { s: [2] },
      outputs: ['z'],
      nodes: [node('DequantizeLinear', ['q', 's', 'zero'], ['z'], { axis: 0 })],
      initializers: { q: constant('int8', [2, 2], [5, -3, 100, 7]), zero: constant('int8', [2], [1, 0]) },
    });
    const gradients = await gradientsOf(model, feedsOf({ s: { dims: [2], data: [0.5, 0.25] } }), ['s']);
    const w = weightsOf([2, 2]);
    near(gradients['s']!.data, Float64Array.of(w[0]! * 4 - w[1]! * 4, w[2]! * 100 + w[3]! * 7));
  });
});
