/**
 * The gradient of Σ rᵢ·zᵢ, with fixed random weights r, by the gradient graph and by central differences of the forward graph in
 * onnxruntime. The differences are of fourth order (four points), so that the step can be wide: with a step of 2^-5 the rounding
 * of float32 results costs some 1e-6 of the gradient, the truncation about as much. The sums over r are in float64.
 */
import { expect } from 'vitest';
import { createExecutor, openSession, type Session } from '../../../src/backends/session.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import { Emitter } from '../../../src/graph/emitter.ts';
import type { Model } from '../../../src/graph/model.ts';
import type { Value } from '../../../src/graph/value.ts';
import { elementCount, type TensorValue } from '../../../src/onnx/data-types.ts';
import { differentiate } from '../../../src/qat/differentiate.ts';
import { resizeMaps, traceShapes } from '../../../src/qat/tracing.ts';
import { buildModel } from '../../support/build.ts';
import { uniform, type GradientCase, type Input } from './case.ts';

export type Feeds = Record<string, TensorValue>;

export function modelOf(each: GradientCase): Model {
  return buildModel({
    opset: each.opset ?? 18,
    inputs: Object.fromEntries(Object.entries(each.inputs).map(([name, { dims }]) => [name, dims])),
    outputs: each.outputs ?? ['z'],
    nodes: each.nodes,
    initializers: each.initializers ?? {},
  });
}

export function feedsOf(inputs: Readonly<Record<string, Input>>): Feeds {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, data }]) => [
      name,
      { type: 'float32', dims, data: Float32Array.from(data) },
    ]),
  );
}

/** Weights of the loss, one per element of an output. */
export const weightsOf = (dims: readonly number[]): Float32Array => Float32Array.from(uniform(dims, 0.5, 1.5).data);

/** Appends Σ r·z over all outputs and makes it the loss. */
export function appendLoss(model: Model): Value {
  const emit = new Emitter(model.graph, 'loss');
  const terms = model.graph.outputs.map((output) => {
    const dims = output.dims as number[];
    const weighted = emit.op('Mul', [output, emit.floats(dims, weightsOf(dims))]);
    return emit.op('ReduceSum', [weighted], { keepdims: 0 });
  });
  const loss = emit.op('Sum', terms);
  loss.setType(1, []);
  return loss;
}

/** Gradients of the loss with respect to the named inputs, by the gradient graph. */
export async function gradientsOf(
  model: Model,
  feeds: Feeds,
  names: readonly string[],
  rewrite: (model: Model) => unknown = () => undefined,
): Promise<Feeds> {
  await traceShapes(model, feeds);
  rewrite(model);
  const loss = appendLoss(model);
  await traceShapes(model, feeds);
  const wrt = names.map((name) => model.graph.values.get(name)!);
  const gradients = differentiate(model.graph, loss, wrt, await resizeMaps(model, createExecutor()));
  checkModel(model);
  for (const value of wrt) model.graph.addOutput(gradients.get(value)!);
  const session = await openSession(model, { level: 'basic', simulate: true });
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(wrt.map((value) => [value.name, results[gradients.get(value)!.name]!]));
  } finally {
    await session.dispose();
  }
}

export async function lossAt(session: Session, feeds: Feeds): Promise<number> {
  let sum = 0;
  for (const { dims, data } of Object.values(await session.run(feeds))) {
    const weights = weightsOf(dims);
    for (let i = 0; i < weights.length; i++) sum += weights[i]! * Number(data[i]!);
  }
  return sum;
}

/** The derivative by one element of one input, of fourth order. The steps are those that float32 really took. */
async function difference(session: Session, feeds: Feeds, name: string, index: number, step: number): Promise<number> {
  const { dims, data } = feeds[name]!;
  const at = async (offset: number): Promise<{ x: number; loss: number }> => {
    const moved = Float32Array.from(data as Float32Array);
    moved[index] = moved[index]! + offset;
    return {
      x: moved[index]!,
      loss: await lossAt(session, { ...feeds, [name]: { type: 'float32', dims, data: moved } }),
    };
  };
  const slope = async (h: number): Promise<number> => {
    const [above, below] = [await at(h), await at(-h)];
    return (above.loss - below.loss) / (above.x - below.x);
  };
  return (4 * (await slope(step)) - (await slope(2 * step))) / 3;
}

/**
 * Largest difference over the largest gradient of the same tensor.
 * @param rewrite what is done to the model with traced shapes before it is differentiated; the differences are of the model as
 * it is written
 */
export async function checkGradients(each: GradientCase, rewrite?: (model: Model) => unknown): Promise<void> {
  const feeds = feedsOf(each.inputs);
  const names = Object.keys(each.inputs);
  const gradients = await gradientsOf(modelOf(each), feeds, names, rewrite);
  const session = await openSession(modelOf(each), { level: 'disabled', simulate: true });
  try {
    for (const name of names) {
      const { dims, data } = gradients[name]!;
      expect(dims, name).toEqual(feeds[name]!.dims);
      const expected = new Float64Array(elementCount(dims));
      for (let i = 0; i < expected.length; i++)
        expected[i] = await difference(session, feeds, name, i, each.step ?? 2 ** -5);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(data[i]))), 0);
      expect(largest, `${name} has a gradient`).toBeGreaterThan(1e-3);
      expect(
        worst / largest,
        `${name}: ${[...expected].slice(0, 6)} ≠ ${[...(data as Float32Array)].slice(0, 6)}`,
      ).toBeLessThan(1e-4);
    }
  } finally {
    await session.dispose();
  }
}
