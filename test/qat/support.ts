/** A small residual network with everything that matters to fake quantization, and its fake-quantized form. */
import type { Scheme } from '../../src/backends/targets/target.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { emitFakeQuant } from '../../src/qat/emit.ts';
import type { Widths } from '../../src/qat/widths.ts';
import { planFor, rangesFor, type Feeds } from '../quantized/support.ts';
import { random } from '../../src/data/random.ts';
import { buildModel, f32, node } from '../support/build.ts';

export const eight: Widths = { weights: 8, activations: 8, firstLast: 8 };
export const four: Widths = { weights: 4, activations: 4, firstLast: 8 };

/** Conv → Relu → (Conv → Relu → Conv) + skip → Relu → pool → Gemm: [N, 3, 8, 8] → [N, 5]. */
export function residual(batch: number | string = 'N'): Model {
  const conv = (x: string, w: string, y: string): ReturnType<typeof node> =>
    node('Conv', [x, w, `${w}_b`], [y], { pads: [1, 1, 1, 1] });
  return buildModel({
    inputs: { x: [batch, 3, 8, 8] },
    initializers: {
      w1: scaled([8, 3, 3, 3], 0.4),
      w1_b: scaled([8], 0.1),
      w2: scaled([8, 8, 3, 3], 0.2),
      w2_b: scaled([8], 0.1),
      w3: scaled([8, 8, 3, 3], 0.2),
      w3_b: scaled([8], 0.1),
      w4: scaled([8, 5], 0.5),
      w4_b: scaled([5], 0.1),
    },
    nodes: [
      conv('x', 'w1', 'c1'),
      node('Relu', ['c1'], ['r1']),
      conv('r1', 'w2', 'c2'),
      node('Relu', ['c2'], ['r2']),
      conv('r2', 'w3', 'c3'),
      node('Add', ['c3', 'r1'], ['sum']),
      node('Relu', ['sum'], ['r3']),
      node('GlobalAveragePool', ['r3'], ['pool']),
      node('Flatten', ['pool'], ['flat']),
      node('Gemm', ['flat', 'w4', 'w4_b'], ['y']),
    ],
    outputs: { y: [batch, 5] },
  });
}

function scaled(dims: readonly number[], factor: number): ReturnType<typeof f32> {
  const generator = random(dims.reduce((a, b) => a * 31 + b, 7));
  const length = dims.reduce((a, b) => a * b, 1);
  return f32(
    dims,
    Array.from({ length }, () => generator.normal() * factor),
  );
}

export function images(count: number, seed = 1): TensorValue {
  const generator = random(seed);
  const data = Float32Array.from({ length: count * 3 * 64 }, () => generator.normal());
  return { type: 'float32', dims: [count, 3, 8, 8], data };
}

/** Ranges are those of the feeds, by minimum and maximum. */
export async function fakeQuantized(
  model: Model,
  feeds: Feeds,
  widths: Widths = eight,
  scheme: Partial<Scheme> = {},
  exclude?: string[],
): Promise<Model> {
  const plan = planFor(model, { weightRange: 'full', ...scheme }, undefined, undefined, exclude);
  const ranges = await rangesFor(model, plan, feeds);
  const prepared = emitFakeQuant(model, plan, widths, () => ranges);
  checkModel(prepared);
  return prepared;
}
