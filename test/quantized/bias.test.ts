import { describe, expect, it } from 'vitest';
import { targets } from '../../src/backends/targets/index.ts';
import type { Target } from '../../src/backends/targets/target.ts';
import type { Model } from '../../src/graph/model.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { fitScales, quantizeBias } from '../../src/quantized/bias.ts';
import { buildModel, f32, node, type Constant } from '../support/build.ts';
import { planFor, quantize, run, sqnr, type Feeds } from './support.ts';

const bias = (...values: number[]): Tensor => Tensor.of('b', 'float32', [values.length], Float32Array.from(values));

describe('quantizeBias', () => {
  it('rounds to int32 at input scale × weight scale', () => {
    const { codes, scales } = quantizeBias(bias(1, -0.3), 0.5, Float32Array.of(0.25, 0.125), 'q');
    expect([...scales]).toEqual([0.125, 0.0625]);
    expect([...codes.data()]).toEqual([8, -5]);
    expect(codes.type.name).toBe('int32');
  });

  it('uses one scale for all when the weight has one', () => {
    const { codes, scales } = quantizeBias(bias(1, 2), 0.5, Float32Array.of(0.5), 'q');
    expect(scales.length).toBe(1);
    expect([...codes.data()]).toEqual([4, 8]);
  });
});

describe('fitScales', () => {
  const none = new Set<number>();
  const fit = (scales: Float32Array, silent: Iterable<number>, ...layers: [Tensor, number][]) =>
    fitScales(
      scales,
      new Set(silent),
      layers.map(([each, inputScale]) => ({ bias: each, inputScale })),
    );

  it('enlarges only the scales whose bias would not fit', () => {
    const scales = Float32Array.of(1e-12, 0.1);
    expect([...fit(scales, none, [bias(100, 100), 1e-3])]).toEqual([0]);
    expect(scales[1]).toBe(Math.fround(0.1));
    const { codes, scales: biasScales } = quantizeBias(bias(100, 100), 1e-3, scales, 'q');
    // 2^30 codes leave a relative rounding error far below float32's own.
    expect(Number(codes.data()[0]) * biasScales[0]!).toBeCloseTo(100, 4);
    expect(Math.abs(Number(codes.data()[0]))).toBeLessThanOrEqual(2 ** 30 + 2 ** 7);
  });

  it('leaves ordinary biases alone', () => {
    expect([...fit(Float32Array.of(0.01, 0.01), none, [bias(1, -1), 0.01])]).toEqual([]);
  });

  it('gives a channel of zeros the step of its bias, for every layer that reads it', () => {
    const scales = Float32Array.of(1, 0.5, 1);
    expect([...fit(scales, [0, 2], [bias(3, 1, 0), 0.5], [bias(-7, 1, 0), 0.25])]).toEqual([]);
    expect(scales[0]).toBe(Math.fround(7 / 0.25 / 2 ** 20));
    // Without a bias any scale is right; an ordinary one suits every runtime.
    expect([...scales.slice(1)]).toEqual([0.5, 0.5]);
    const { codes, scales: steps } = quantizeBias(bias(3, 1, 0), 0.5, scales, 'q');
    expect(Number(codes.data()[0]) * steps[0]!).toBeCloseTo(3, 4);
  });

  it('one scale for all: the largest bias decides', () => {
    const scales = Float32Array.of(1);
    fit(scales, [0], [bias(0.5, -4), 2]);
    expect(scales[0]).toBe(Math.fround(4 / 2 / 2 ** 20));
    const nothing = Float32Array.of(1);
    fit(nothing, [0]);
    expect(nothing[0]).toBe(1);
  });

  it('keeps the product of scales a normal number', () => {
    const scales = Float32Array.of(1e-37);
    fit(scales, none, [bias(0), 1e-4]);
    expect(Math.fround(scales[0]! * 1e-4)).toBeGreaterThan(2 ** -126);
  });
});

const channels = 8;
/** Of every four channels along the axis one is 0, one tiny; `inner` elements lie behind one position along it. */
function pruned(dims: readonly number[], axis: number): Constant {
  const { data } = f32(dims);
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  (data as Float32Array).forEach((_, i) => {
    const channel = Math.floor(i / inner) % dims[axis]!;
    (data as Float32Array)[i]! *= [0.01, 0, 1e-14, 0.01][channel % 4]!;
  });
  return { type: 'float32', dims, data };
}
const biases = f32([channels], [0.2, 3, -2, 0.1, -0.3, 7.7, 1.6, 0.8]);

const image: Feeds = {
  x: {
    type: 'float32',
    dims: [2, 8, 6, 6],
    data: Float32Array.from({ length: 576 }, (_, i) => 200 * Math.sin(i * 1.7)),
  },
};
const matrix: Feeds = {
  x: { type: 'float32', dims: [18, 32], data: Float32Array.from({ length: 576 }, (_, i) => 200 * Math.sin(i * 1.7)) },
};

/** The layer, Relu, and a layer that mixes its channels. */
const layers: Record<string, { feeds: Feeds; model: () => Model }> = {
  Conv: { feeds: image, model: () => between('Conv', pruned([8, 8, 3, 3], 0), { pads: [1, 1, 1, 1] }) },
  depthwise: { feeds: image, model: () => between('Conv', pruned([8, 1, 3, 3], 0), { group: 8 }) },
  ConvTranspose: { feeds: image, model: () => between('ConvTranspose', pruned([8, 8, 2, 2], 1), {}) },
  Gemm: { feeds: matrix, model: () => gemm(pruned([32, 8], 1), 0) },
  'Gemm of rows': { feeds: matrix, model: () => gemm(pruned([8, 32], 0), 1) },
};

function between(op: string, w: Constant, attributes: Record<string, number | number[]>): Model {
  return buildModel({
    inputs: { x: [2, 8, 6, 6] },
    outputs: ['y'],
    initializers: { w, b: biases, w2: f32([6, 8, 1, 1]), b2: f32([6]) },
    nodes: [
      node(op, ['x', 'w', 'b'], ['h'], attributes),
      node('Relu', ['h'], ['r']),
      node('Conv', ['r', 'w2', 'b2'], ['y']),
    ],
  });
}

function gemm(w: Constant, transB: number): Model {
  return buildModel({
    inputs: { x: [18, 32] },
    outputs: ['y'],
    initializers: { w, b: biases, w2: f32([8, 6]), b2: f32([6]) },
    nodes: [
      node('Gemm', ['x', 'w', 'b'], ['h'], { transB }),
      node('Relu', ['h'], ['r']),
      node('Gemm', ['r', 'w2', 'b2'], ['y']),
    ],
  });
}

async function agreement(name: string, target: Target, perChannel = target.scheme.perChannel): Promise<number> {
  const { feeds, model } = layers[name]!;
  const { model: int8 } = await quantize(model(), feeds, planFor(model(), { perChannel }, target));
  const [float, ran] = [await run(model(), feeds), await run(int8, feeds, { exactInt8: true })];
  return sqnr(float.outputs['y']!, ran.outputs['y']!);
}

/**
 * Channels whose weights are all 0 (pruned) or tiny beside their bias (a BatchNormalization that shut them) give their bias on every
 * target, as codes or in float, which onnxruntime quantizes by itself. Held against the float model, run as users run it.
 */
describe('silent channels', () => {
  const able = targets.filter(({ activationTypes }) => activationTypes.length > 0);
  it.each(able.map((target) => [target.name, target] as const))('%s: keep their bias', async (_, target) => {
    for (const name of Object.keys(layers)) expect(await agreement(name, target), name).toBeGreaterThan(34);
  });

  it.each(['ort-cpu-x64', 'tensorrt'])('%s: with one scale per tensor', async (name) => {
    const target = targets.find((each) => each.name === name)!;
    for (const layer of Object.keys(layers)) expect(await agreement(layer, target, false), layer).toBeGreaterThan(32);
  });
});
