/** Parameters of layers and of BatchNormalization for small models: deterministic, tame, never all alike. */
import fc from 'fast-check';
import { f32, float, node, type AttributeSpec, type Constant } from '../support/build.ts';

/** Deterministic numbers in [low, high) from a seed. */
export function numbers(seed: number, count: number, low: number, high: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  });
}

export function batchNorm(seed: number, channels: number): Record<string, Constant> {
  return {
    scale: f32([channels], numbers(seed + 1, channels, -1.5, 1.5)),
    beta: f32([channels], numbers(seed + 2, channels, -1, 1)),
    mean: f32([channels], numbers(seed + 3, channels, -1, 1)),
    variance: f32([channels], numbers(seed + 4, channels, 0.25, 2)),
  };
}

export const bn = (input: string, output: string, attributes = {}) =>
  node('BatchNormalization', [input, 'scale', 'beta', 'mean', 'variance'], [output], attributes);

/** One linear layer of random shape. */
export interface Layer {
  readonly opType: string;
  readonly x: number[];
  readonly weight: number[];
  readonly outputs: number;
  readonly inputs: number;
  readonly terms: number;
  readonly attributes: Record<string, AttributeSpec>;
  readonly rank: number;
}

export const layers = fc
  .record({
    opType: fc.constantFrom('Conv', 'ConvTranspose', 'Gemm'),
    group: fc.constantFrom(1, 2, 3),
    perGroup: fc.integer({ min: 1, max: 3 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    kernel: fc.array(fc.integer({ min: 2, max: 3 }), { minLength: 1, maxLength: 2 }),
    pad: fc.integer({ min: 0, max: 1 }),
    stride: fc.integer({ min: 1, max: 2 }),
    transB: fc.boolean(),
  })
  .map(({ opType, group, perGroup, inputs, kernel, pad, stride, transB }): Layer => {
    const taps = kernel.reduce((a, b) => a * b, 1);
    if (opType === 'Gemm') {
      const weight = transB ? [perGroup, inputs] : [inputs, perGroup];
      const attributes = { transB: Number(transB), alpha: float(0.75), beta: float(-0.5) };
      return { opType, x: [2, inputs], weight, outputs: perGroup, inputs, terms: inputs, attributes, rank: 2 };
    }
    const [all, out] = [inputs * group, perGroup * group];
    const weight = opType === 'Conv' ? [out, inputs, ...kernel] : [all, perGroup, ...kernel];
    const attributes = { group, pads: [...kernel, ...kernel].map(() => pad), strides: kernel.map(() => stride) };
    const x = [2, all, ...kernel.map((k) => k + 2)];
    const rank = x.length;
    return { opType, x, weight, outputs: out, inputs: all, terms: inputs * taps, attributes, rank };
  });

/** The layer as a node, with its weight and, if it has one, its bias as initializers `w` and `b`. */
export function placedLayer(layer: Layer, bias: boolean, input: string, output: string) {
  return {
    initializers: { w: f32(layer.weight), ...(bias ? { b: f32([layer.outputs]) } : {}) },
    node: node(layer.opType, bias ? [input, 'w', 'b'] : [input, 'w'], [output], layer.attributes),
  };
}

/** Why a shift in front of the layer cannot be folded, if so. */
export function shiftObstacle({ opType, attributes }: Layer): RegExp | undefined {
  if (opType === 'ConvTranspose') return /fewer taps/;
  return (attributes['pads'] as number[] | undefined)?.includes(1) ? /pads its input with zeros/ : undefined;
}
